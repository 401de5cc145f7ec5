// For the tests of this folder and of sagas: a queue on a private database, and workers that are stopped with it.
import type { Db } from "#shared/db/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type ManualClock, manualClock } from "#shared/testing/clock.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { type Enqueued, enqueue } from "./enqueue.ts";
import type { Run } from "./fence.ts";
import { type QueueStats, queueStats } from "./stats.ts";
import { startWorker, type Worker, type WorkerOptions } from "./worker.ts";

export type QueueFixture = {
  pg: TestPostgres;
  db: Db;
  clock: ManualClock;
  worker(handle: WorkerOptions["handle"], options?: Partial<WorkerOptions>): Worker;
  ask(key: string, o?: Omit<Enqueued, "key">): Promise<string>;
  /** Asks without telling any worker, as when the wake was lost. */
  askSilently(key: string): Promise<void>;
  stats(): Promise<QueueStats | undefined>;
  /** Resolves when no job is in a worker's hands and every worker on this clock waits for time to pass. */
  idle(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function queueForTest(): Promise<QueueFixture> {
  const pg = await postgresForTest({ schema: "work", folders: [mechanismMigrations] });
  const { db } = pg;
  const clock = manualClock();
  const workers = new Set<Worker>();
  let onClock = 0;
  const leased = async () =>
    (await withTx(db, (tx) => tx`select from job where lease_until is not null`)).length > 0;
  return {
    pg,
    db,
    clock,
    worker: (handle, options = {}) => {
      const worker = startWorker({
        db,
        queue: "jobs",
        handle,
        concurrency: 4,
        leaseMs: 30_000,
        sweepMs: 60_000,
        maxAttempts: 3,
        backoffMs: (attempt) => attempt * 1000,
        gatherMs: 0,
        clock,
        log: silentLogger,
        ...options,
      });
      const counted = options.clock === undefined ? 1 : 0;
      onClock += counted;
      const stop = async () => {
        if (workers.delete(worker)) onClock -= counted;
        await worker.stop();
      };
      workers.add(worker);
      return { wake: () => worker.wake(), stop };
    },
    ask: (key, o = {}) => withTx(db, (tx) => enqueue(tx, { queue: "jobs", key, ...o })),
    askSilently: (key) =>
      withTx(db, async (tx) => {
        await tx`insert into job (queue, key, payload) values ('jobs', ${key}, '{}')`;
      }),
    stats: async () => (await withTx(db, (tx) => queueStats(tx, "jobs")))[0],
    idle: async () => {
      await until(async () => !(await leased()));
      await until(() => clock.sleepers() >= 2 * onClock);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...workers].map((worker) => worker.stop()));
      await pg[Symbol.asyncDispose]();
    },
  };
}

/** Lets a test follow a handler: `next()` resolves with the next run that begins. */
export function runs(): { began(run: Run): void; next(): Promise<Run> } {
  const seen: Run[] = [];
  const waiting: ((run: Run) => void)[] = [];
  return {
    began: (run) => {
      const take = waiting.shift();
      if (take) take(run);
      else seen.push(run);
    },
    next: async () => {
      const run = seen.shift();
      return run ?? (await new Promise<Run>((resolve) => waiting.push(resolve)));
    },
  };
}

/** Resolves when the signal aborts, which is what a well-behaved handler waits for. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Waits until `condition` holds, looking again after each turn of the event loop; a test's time-out bounds it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
