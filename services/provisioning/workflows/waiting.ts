import { withTx } from "#shared/db/tx.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { readWaiting } from "../store.ts";
import type { WorkflowDeps } from "./deps.ts";
import { waiting } from "./steps/lock.ts";

type Parts = Pick<WorkflowDeps, "db" | "clock"> & {
  servers: Pick<WorkflowDeps["servers"], "heartbeat">;
  log: Logger;
  heartbeatMs: number;
};

/**
 * Keeps the operation locks of what was accepted and has not begun: while every worker is at work, or until the lease of
 * one that was killed is over, nobody else does. Once the work has begun its steps keep the lock themselves.
 */
export function keepWaiting({ db, clock, servers, log, heartbeatMs }: Parts): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const beat = async () => {
    const found = await withTx(db, readWaiting, { readOnly: true });
    await Promise.all(found.map((lock) => servers.heartbeat({ ...lock, ...waiting })));
  };
  const run = async () => {
    while (!signal.aborted) {
      await beat().catch((err: unknown) => log.debug({ err }, "locks of waiting work were not kept"));
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
