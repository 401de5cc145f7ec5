import { withTx } from "#shared/db/tx.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { readWaiting, type Waiting } from "../store.ts";
import type { WorkflowDeps } from "./deps.ts";

type Parts = Pick<WorkflowDeps, "db" | "clock"> & {
  servers: Pick<WorkflowDeps["servers"], "heartbeat">;
  log: Logger;
  heartbeatMs: number;
  /** Locks that are beaten at the same time; 50 by default. */
  atOnce?: number;
};

/**
 * Keeps the operation locks of what was accepted and that nobody works on: while every worker is at work, or a step waits
 * for its next try, nobody else does. While a step works it keeps the lock itself.
 */
export function keepWaiting(o: Parts): { stop(): Promise<void> } {
  const { db, clock, servers, log, heartbeatMs, atOnce: limit = 50 } = o;
  const stopping = new AbortController();
  const { signal } = stopping;
  const missed = (err: unknown) => log.debug({ err }, "locks of waiting work were not kept");
  const beat = async () => {
    for (let after: string | undefined = ""; after !== undefined && !signal.aborted;) {
      const from: { after: string; limit: number } = { after, limit };
      const found: Waiting[] = await withTx(db, (tx) => readWaiting(tx, from), { readOnly: true });
      // Each by itself: one that is refused keeps no other from being kept.
      await Promise.all(found.map((lock) => servers.heartbeat(lock).catch(missed)));
      after = found.at(-1)?.operationId;
    }
  };
  const run = async () => {
    while (!signal.aborted) {
      await beat().catch(missed);
      await clock.sleep(heartbeatMs, signal);
    }
  };
  const done = run();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}
