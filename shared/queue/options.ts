import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Run } from "./fence.ts";
import type { WakeBus } from "./wakes.ts";

export type WorkerOptions = {
  db: Db;
  queue: string;
  /**
   * Does one job. Resolves: done. `{ again }`: well so far, run again after that many milliseconds. Rejects: a failed
   * attempt. It may run twice for one request (a worker killed before its success was noted), so it is idempotent.
   */
  handle(run: Run): Promise<void | { again: number }>;
  /** Jobs that run at the same time in this worker. */
  concurrency: number;
  /** After this many milliseconds without a heartbeat another worker takes the job. */
  leaseMs: number;
  /** Milliseconds between two looks at the queue when no wake arrives. */
  sweepMs: number;
  /** Failed attempts after which a job is dead. */
  maxAttempts: number;
  /** Milliseconds to wait after failed attempt 1, 2, 3 … */
  backoffMs(attempt: number): number;
  /** How long ends are gathered for one commit while more jobs are asked for in this process, in milliseconds; 2 by default. */
  gatherMs?: number;
  /** How long `stop` waits for handlers to end, in milliseconds; 10,000 by default. */
  drainMs?: number;
  /** Told the keys of runs whose end was committed just now, however they ended. For measurements. */
  settled?(keys: string[]): void;
  clock: Clock;
  log: Logger;
  wake?: WakeBus;
};
export type Worker = {
  /** Looks at the queue now. */
  wake(): void;
  /** Ends: handlers see their signal, and every lease is returned, so a successor need not wait for it. */
  stop(): Promise<void>;
};
