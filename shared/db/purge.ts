import type { Db, Tx } from "./connect.ts";
import { withTx } from "./tx.ts";

const step = 1_000;

/** What is kept for how long, in milliseconds. */
export type Retention = {
  /** Events after they were published, at least as long as the stream keeps them. */
  publishedMs: number;
  /** Which events of others were handled. */
  inboxMs: number;
  /** Answers for their idempotency keys. */
  idempotencyMs: number;
  /** Operations that have ended, with the log of their saga. */
  operationMs: number;
  /** Jobs that failed at every attempt. Those that are done leave nothing behind. */
  deadJobMs: number;
};

/**
 * Deletes what is older than anything that may still be asked for; in small steps, so that nobody waits for long.
 * `now`: the caller's time in milliseconds, by which it wrote when events were published and jobs died. `signal` ends it
 * after the step in hand; what is left is for the next time.
 */
export async function purge(db: Db, keep: Retention, now: number, signal?: AbortSignal): Promise<void> {
  const rules: [table: string, column: string, before: Date | number][] = [
    ["outbox", "published_at", new Date(now - keep.publishedMs)],
    ["job", "died_at", new Date(now - keep.deadJobMs)],
    ["inbox", "created_at", keep.inboxMs],
    ["idempotency", "created_at", keep.idempotencyMs],
    ["operation", "finished_at", keep.operationMs],
  ];
  for (const [table, column, before] of rules) {
    const deleteSome = async (tx: Tx) => {
      const time =
        typeof before === "number" ? tx`now() - ${before} * interval '1 millisecond'` : tx`${before}`;
      const old = await tx`
        delete from ${tx(table)} where ctid = any(array(
          select ctid from ${tx(table)} where ${tx(column)} < ${time} limit ${step} for update skip locked))`;
      return old.count;
    };
    for (let full = true; full;) full = !signal?.aborted && (await withTx(db, deleteSome)) === step;
  }
}
