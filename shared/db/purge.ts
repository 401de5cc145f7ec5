import type { Clock } from "#shared/process/clock.ts";
import { startReconciler } from "#shared/reconcile/reconcile.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Db, Tx } from "./connect.ts";
import { withTx } from "./tx.ts";

/** What is kept for how long, in milliseconds. */
export type Retention = {
  /** Events after they were published, at least as long as the stream keeps them. */
  publishedMs: number;
  /** Answers for their idempotency keys. */
  idempotencyMs: number;
  /** Operations that have ended, with the log of their saga. */
  operationMs: number;
  /** Jobs that failed at every attempt. Those that are done leave nothing behind. */
  deadJobMs: number;
};

/** By which column the rows of a table grow old, and whose clock wrote it. */
const rules = {
  outbox: { column: "published_at", keep: "publishedMs", clock: "service" },
  job: { column: "died_at", keep: "deadJobMs", clock: "service" },
  idempotency: { column: "created_at", keep: "idempotencyMs", clock: "database" },
  operation: { column: "finished_at", keep: "operationMs", clock: "database" },
} as const;
const tables = Object.keys(rules);

/** Deletes now, and every `everyMs` until stopped, what is older than anything that may still be asked for. */
export function startPurge(o: { db: Db; keep: Retention; clock: Clock; log: Logger; everyMs?: number }): {
  stop(): Promise<void>;
} {
  const { db, keep, clock, log, everyMs = 60_000 } = o;
  return startReconciler({
    name: "purge",
    // Each table by itself: one that cannot be purged holds up no other.
    list: async () => tables,
    reconcile: (table, signal) => purge(db, table as keyof typeof rules, { keep, now: clock.now(), signal }),
    resyncMs: everyMs,
    concurrency: 1,
    backoffMs: () => everyMs,
    clock,
    log,
  });
}

const step = 1_000;

/** In small steps, so that nobody waits for long. What is left when `signal` aborts is for the next time. */
async function purge(
  db: Db,
  table: keyof typeof rules,
  o: { keep: Retention; now: number; signal: AbortSignal },
): Promise<void> {
  const { column, keep, clock } = rules[table];
  const ageMs = o.keep[keep];
  const deleteSome = async (tx: Tx) => {
    const before =
      clock === "service" ? tx`${new Date(o.now - ageMs)}` : tx`now() - ${ageMs} * interval '1 millisecond'`;
    const old = await tx`
      delete from ${tx(table)} where ctid = any(array(
        select ctid from ${tx(table)} where ${tx(column)} < ${before} limit ${step} for update skip locked))`;
    return old.count;
  };
  for (let full = true; full && !o.signal.aborted;) full = (await withTx(db, deleteSome)) === step;
}
