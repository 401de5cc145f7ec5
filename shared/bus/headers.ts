import { headers, type MsgHdrs } from "nats";
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

/** What a caller adds to its input; everything has a default, because a worker calls for nobody. */
export type Meta = Partial<
  Pick<CallMeta, "actor" | "traceparent" | "deadline" | "idempotencyKey" | "address" | "cookie">
>;

/** The deadline travels as the time that is left: clocks of two machines need not agree. */
export function encodeMeta(meta: Meta, self: Actor, timeoutMs: number): MsgHdrs {
  const h = headers();
  if (meta.traceparent) h.set(names.traceparent, meta.traceparent);
  h.set(names.actor, JSON.stringify(meta.actor ?? self));
  h.set(names.remaining, String(timeoutMs));
  if (meta.idempotencyKey) h.set(names.key, meta.idempotencyKey);
  if (meta.address) h.set(names.address, meta.address);
  if (meta.cookie) h.set(names.cookie, meta.cookie);
  return h;
}

/** Reads what {@link encodeMeta} wrote; a missing or damaged header makes the call anonymous, never privileged. */
export function decodeMeta(h: MsgHdrs | undefined, timeoutMs: number, now: number): Omit<CallMeta, "signal"> {
  const text = (name: string) => h?.get(name) || undefined;
  const remaining = Number(text(names.remaining) ?? timeoutMs);
  const bounded = Number.isFinite(remaining) ? Math.min(remaining, timeoutMs) : timeoutMs;
  const trace = text(names.traceparent) ?? "";
  return {
    actor: decodeActor(text(names.actor)),
    traceparent: trace,
    requestId: requestIdOf(trace),
    deadline: now + bounded,
    idempotencyKey: text(names.key),
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
