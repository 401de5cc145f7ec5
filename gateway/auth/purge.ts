import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Clock } from "#shared/process/clock.ts";
import { startReconciler } from "#shared/reconcile/reconcile.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { type Horizons, type Removed, removals } from "./store/purge.ts";

export type Retention = {
  /** Lines of the audit log, in milliseconds. */
  auditMs: number;
  /** Delivered mail, in milliseconds. */
  mailMs: number;
};

const day = 86_400_000;
/** Sessions that were ended, for whoever still asks which one it was. */
const endedMs = day;
/** Expired keys stay in their owner's list for so long. */
const keysMs = 90 * day;

/** The kinds of rows that are purged, each without need of another. */
export const purged = Object.keys(removals) as Removed[];

type PurgeOptions = { now: number; retention: Retention; limit?: number; signal?: AbortSignal };

/** What is older than these moments has had its time at `now` (ms since the epoch). */
export function horizonsOf(now: number, retention: Retention): Horizons {
  const ago = (ms: number) => new Date(now - ms);
  return {
    now: new Date(now),
    ended: ago(endedMs),
    delivered: ago(retention.mailMs),
    audit: ago(retention.auditMs),
    keys: ago(keysMs),
  };
}

/**
 * Removes the rows of one kind that have had their time, in steps of `limit` so that nobody waits for long; `signal` ends
 * it between two steps.
 */
export async function purge(
  db: Db,
  kind: Removed,
  { now, retention, limit = 1_000, signal }: PurgeOptions,
): Promise<void> {
  const horizons = horizonsOf(now, retention);
  for (const remove of removals[kind]) {
    for (let removed = limit; removed === limit;) {
      if (signal?.aborted) return;
      removed = await withTx(db, async (tx) => (await remove(tx, horizons, limit)).count);
    }
  }
}

/**
 * Purges now and every `everyMs` until stopped: each kind by itself, so that one which fails holds up no other. Several
 * gateways may do so: they share the rows.
 */
export function startPurge(o: { db: Db; clock: Clock; log: Logger; retention: Retention; everyMs: number }): {
  stop(): Promise<void>;
} {
  const { db, clock, log, retention, everyMs } = o;
  return startReconciler({
    name: "purge of accounts",
    list: async () => purged,
    reconcile: (kind, signal) => purge(db, kind as Removed, { now: clock.now(), retention, signal }),
    resyncMs: everyMs,
    concurrency: 1,
    backoffMs: () => everyMs,
    clock,
    log,
  });
}
