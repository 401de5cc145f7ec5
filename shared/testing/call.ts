import type { Actor } from "#shared/contract/actor.ts";
import type { CallMeta } from "#shared/contract/dispatch.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";

/** A signed-in account, as the gateway names it to services. */
export const account = (id: string, role: "customer" | "operator" = "customer"): Actor => ({
  kind: "account",
  id,
  role,
  via: "ses_1",
});

/** Somebody who works for the platform. */
export const operator = account("acc_operator", "operator");

/** What travels beside a call: a new trace, 12 s time, an address of the documentation range; `change` makes it another. */
export function callMeta(actor: Actor, change: Partial<CallMeta> = {}): CallMeta {
  const traceparent = newTraceparent();
  return {
    actor,
    traceparent,
    requestId: requestIdOf(traceparent),
    deadline: Date.now() + 12_000,
    signal: new AbortController().signal,
    idempotencyKey: undefined,
    address: "192.0.2.7",
    cookie: undefined,
    ...change,
  };
}

/** Looks again every few milliseconds until `read` gives something that `holds`; its value. Rejects after 10 s. */
export async function until<T>(read: () => Promise<T> | T, holds: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > deadline) throw new Error(`waited in vain; last: ${JSON.stringify(value)}`);
    await Bun.sleep(10);
  }
}

/** Asks again every few milliseconds until the answer is no rejection; rejects with the last one after 10 s. */
export async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await Bun.sleep(10);
    }
  }
}

/** What a call was refused with; rejects when it was not refused. */
export async function refusal(call: Promise<unknown>): Promise<unknown> {
  const answer = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in answer) return answer.error;
  throw new Error(`not refused: ${JSON.stringify(answer.value)}`);
}
