import { type MsgHdrs, MsgHdrsImpl } from "nats";
import { Actor, anonymous } from "#shared/contract/actor.ts";
import type { CallMeta } from "#shared/contract/dispatch.ts";
import { requestIdOf } from "#shared/telemetry/trace.ts";

// Header names are written once: look-up in a NATS message is case-sensitive.
const names = {
  traceparent: "traceparent",
  actor: "Mesh-Actor",
  remaining: "Mesh-Timeout-Ms",
  key: "Idempotency-Key",
  address: "Mesh-Client-Address",
  cookie: "Mesh-Cookie",
} as const;

/** Marks a reply as an error document; its value is the status. Known to the NATS services tools. */
export const errorStatusHeader = "Nats-Service-Error-Code";
/** The code of the error, beside its status. */
export const errorHeader = "Nats-Service-Error";
/** Prefix of the headers of a reply that belong on the HTTP answer. */
export const replyHeaderPrefix = "Mesh-Reply-";

// Headers go with every message, and the library looks at each character of every name several times: its own way of
// writing and reading four of them takes longer than all the rest of a call. Ours are read by name alone, so both ways
// are replaced by shorter ones with the same outcome.
const version = "NATS/1.0";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

class WrittenHeaders extends MsgHdrsImpl {
  private readonly text: string;
  constructor(text: string) {
    super();
    this.text = text;
  }
  override encode(): Uint8Array {
    return encoder.encode(this.text);
  }
}

/** Headers of a message to be sent; undefined ones are left out. Throws where a value would end its line. */
export function headersOf(values: Readonly<Record<string, string | undefined>>): MsgHdrs {
  let text = `${version}\r\n`;
  for (const name in values) {
    const value = values[name];
    if (value === undefined) continue;
    if (value.includes("\n") || value.includes("\r"))
      throw new Error(`the header ${name} has more than one line`);
    text += `${name}: ${value}\r\n`;
  }
  return new WrittenHeaders(`${text}\r\n`);
}

class ReadHeaders extends MsgHdrsImpl {
  override get(name: string): string {
    return this.headers.get(name)?.[0] ?? "";
  }
  override has(name: string): boolean {
    return this.headers.has(name);
  }
}

/** What the server itself says carries a status and its description. */
function withStatus(line: string): ReadHeaders {
  const [, code = "0", description = ""] = /^NATS\/1\.0\s*(\d*)\s*(.*?)\s*$/.exec(line) ?? [];
  return new ReadHeaders(Number(code), description);
}

MsgHdrsImpl.decode = (bytes) => {
  const [first = "", ...lines] = decoder.decode(bytes).split("\r\n");
  const found = first === version ? new ReadHeaders() : withStatus(first);
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const known = found.headers.get(name);
    if (known) known.push(value);
    else found.headers.set(name, [value]);
  }
  return found;
};

/** What a caller adds to its input; everything has a default, because a worker calls for nobody. */
export type Meta = Partial<
  Pick<CallMeta, "actor" | "traceparent" | "deadline" | "idempotencyKey" | "address" | "cookie">
>;

/** The deadline travels as the time that is left: clocks of two machines need not agree. */
export function encodeMeta(meta: Meta, self: Actor, timeoutMs: number): MsgHdrs {
  return headersOf({
    [names.traceparent]: meta.traceparent,
    [names.actor]: JSON.stringify(meta.actor ?? self),
    [names.remaining]: String(timeoutMs),
    [names.key]: meta.idempotencyKey,
    [names.address]: meta.address,
    [names.cookie]: meta.cookie,
  });
}

/**
 * Reads what {@link encodeMeta} wrote; a missing or damaged header makes the call anonymous, never privileged. `sentAt`:
 * when the message left its sender at the latest, by our clock.
 */
export function decodeMeta(
  h: MsgHdrs | undefined,
  timeoutMs: number,
  sentAt: number,
): Omit<CallMeta, "signal"> {
  const text = (name: string) => h?.get(name) || undefined;
  const remaining = Number(text(names.remaining) ?? timeoutMs);
  const bounded = Number.isFinite(remaining) ? Math.min(remaining, timeoutMs) : timeoutMs;
  const trace = text(names.traceparent) ?? "";
  return {
    actor: decodeActor(text(names.actor)),
    traceparent: trace,
    requestId: requestIdOf(trace),
    deadline: sentAt + bounded,
    idempotencyKey: h?.has(names.key) ? h.get(names.key) : undefined,
    address: text(names.address),
    cookie: text(names.cookie),
  };
}

function decodeActor(value: string | undefined): Actor {
  try {
    return Actor.parse(JSON.parse(value ?? ""));
  } catch {
    return anonymous;
  }
}
