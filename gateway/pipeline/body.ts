import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Clock } from "#shared/process/clock.ts";

const maxBytes = 256 * 1024;

/** The one failure that only the edge has: all other callers of a service send a message as a whole. */
export const bodyTimeout = {
  code: "request.timeout",
  status: 408,
  title: "The request body did not come in time",
  retryable: true,
} as const;

/** `bodyMs`: milliseconds for the whole of a body, however it trickles. */
export type BodyLimits = { bodyMs: number; clock: Clock };

/** The body as an object; an absent one is empty. Rejects with 400, 408, 413 or 415, and never holds more than it may. */
export async function readJson(request: Request, limits: BodyLimits): Promise<Record<string, unknown>> {
  if (!request.body) return {};
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge();
  const bytes = await readBounded(request.body, limits);
  if (bytes.length === 0) return {};
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" && !type?.endsWith("+json"))
    throw coreFault("request.media_type", { detail: "Send JSON with the content type application/json" });
  const value = parse(bytes);
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw coreFault("request.invalid", { detail: "The body must be a JSON object" });
  return value as Record<string, unknown>;
}

const tooLarge = () => coreFault("request.too_large", { details: { maxBytes } });

async function readBounded(
  body: ReadableStream<Uint8Array>,
  { bodyMs, clock }: BodyLimits,
): Promise<Uint8Array> {
  const read = new AbortController();
  const reader = body.getReader();
  let isLate = false;
  const stop = () => reader.cancel().catch(() => {});
  void clock.sleep(bodyMs, read.signal).then(() => {
    if (read.signal.aborted) return undefined;
    isLate = true;
    return stop();
  });
  const chunks: Uint8Array[] = [];
  try {
    for (let size = 0; ;) {
      const { value } = await reader.read();
      if (isLate) throw new Fault(bodyTimeout);
      if (!value) return Buffer.concat(chunks);
      size += value.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(value);
    }
  } catch (cause) {
    void stop();
    // A client that goes away in the middle of its body is no failure of ours.
    throw cause instanceof Fault ? cause : coreFault("request.cancelled", {}, { cause });
  } finally {
    read.abort();
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw coreFault("request.invalid", { detail: "The body is not valid JSON" }, { cause });
  }
}
