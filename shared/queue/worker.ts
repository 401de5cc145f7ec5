import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { execute } from "./execute.ts";
import { type Job, LeaseLost, type Run } from "./fence.ts";
import { claim, nextDue, type Outcome, renew, settle, useIndexes } from "./store.ts";
import { onLocalWork, type WakeBus } from "./wakes.ts";

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
  /** How long `stop` waits for handlers to end, in milliseconds; 10,000 by default. */
  drainMs?: number;
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

/**
 * Works on one queue until stopped. One loop settles what has ended and claims what is due, both for many jobs in one
 * transaction: the busier the worker, the larger the batches. Another one renews the leases.
 */
export function startWorker(o: WorkerOptions): Worker {
  return new QueueWorker(o);
}

class QueueWorker implements Worker {
  private readonly active = new Map<string, { job: Job; abort: AbortController; until: number }>();
  private readonly unfinished = new Set<Promise<void>>();
  private outcomes: Outcome[] = [];
  private pause = new AbortController();
  private readonly stopping = new AbortController();
  private readonly drained = new AbortController();
  private told = false;
  private readonly unsubscribe: (() => void)[];
  private readonly working: Promise<void>;
  private readonly leasing: Promise<void>;
  private stopped: Promise<void> | undefined;
  private readonly o: WorkerOptions;

  constructor(o: WorkerOptions) {
    this.o = o;
    const { queue, wake: bus } = o;
    this.unsubscribe = [onLocalWork(queue, () => this.tell())];
    if (bus) this.unsubscribe.push(bus.subscribe(queue, () => this.wake()));
    this.working = this.work();
    this.leasing = this.keepLeases();
  }

  wake(): void {
    this.pause.abort();
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  /** Other processes hear of new work too, once per turn: this one may have its hands full. */
  private tell(): void {
    this.wake();
    if (!this.told) this.o.wake?.notify(this.o.queue);
    this.told = true;
  }

  private async work(): Promise<void> {
    const { queue, clock, log, sweepMs } = this.o;
    for (let failures = 0; !this.stopping.signal.aborted;) {
      this.pause = new AbortController();
      this.told = false;
      try {
        const waitMs = await this.turn();
        failures = 0;
        await clock.sleep(waitMs, this.pause.signal);
      } catch (error) {
        log.error({ err: error, queue }, "the queue cannot be reached");
        await clock.sleep(Math.min(sweepMs, this.o.backoffMs(++failures)), this.stopping.signal);
      }
    }
  }

  /** Settles, claims, starts; answers for how long there is nothing to do unless somebody wakes us. */
  private async turn(): Promise<number> {
    const { db, queue, concurrency, clock, leaseMs, maxAttempts, sweepMs } = this.o;
    const outcomes = this.outcomes.splice(0);
    const limit = concurrency - this.active.size;
    if (limit <= 0 && outcomes.length === 0) return sweepMs;
    const except = [...this.active.keys()];
    const now = clock.now();
    const found = await withTx(db, async (tx) => {
      // Sent together: one round trip.
      const [, settled, claimed] = await Promise.all([
        useIndexes(tx),
        settle(tx, { queue, outcomes, now, maxAttempts, skipLocked: true }),
        claim(tx, { queue, limit, except, now, leaseMs, maxAttempts }),
      ]);
      const idle = claimed.jobs.length < limit;
      return { settled, claimed, next: idle ? await nextDue(tx, queue, now) : undefined };
    }).catch((error: unknown) => {
      this.outcomes.unshift(...outcomes);
      throw error;
    });
    for (const job of found.claimed.jobs) this.begin(job, now + leaseMs);
    for (const job of found.claimed.dead) this.o.log.error({ job }, "a job is dead: its workers vanished");
    const settled = new Set(found.settled);
    for (const left of outcomes.filter(({ key }) => !settled.has(key))) this.track(this.settleAlone(left));
    return Math.min(sweepMs, Math.max(0, (found.next ?? Infinity) - clock.now()));
  }

  private begin(job: Job, until: number): void {
    const { key, fence } = job;
    if (this.stopping.signal.aborted) {
      this.outcomes.push({ key, fence, kind: "released", at: this.o.clock.now(), error: null });
      return;
    }
    const abort = new AbortController();
    this.active.set(key, { job, abort, until });
    const end = execute(this.o, job, abort).then((outcome) => {
      this.active.delete(key);
      this.outcomes.push(outcome);
      this.wake();
    });
    this.track(end);
  }

  /** A row that somebody has locked (an `enqueue` in a transaction not yet committed) is waited for on its own. */
  private async settleAlone(outcome: Outcome): Promise<void> {
    const { db, queue, clock, maxAttempts, log } = this.o;
    const { key } = outcome;
    const one = { queue, outcomes: [outcome], maxAttempts, skipLocked: false };
    try {
      const settled = await withTx(db, (tx) => settle(tx, { ...one, now: clock.now() }));
      if (settled.length === 0) log.warn({ queue, key }, "a lease was lost before its job ended");
    } catch (error) {
      log.warn({ err: error, queue, key }, "how a job ended could not be noted; it will run again");
    }
    this.wake();
  }

  private async keepLeases(): Promise<void> {
    const { clock, leaseMs, log, queue } = this.o;
    const { signal } = this.drained;
    for (;;) {
      await clock.sleep(leaseMs / 3, signal);
      if (signal.aborted) return;
      await this.beat().catch((error: unknown) => {
        log.warn({ err: error, queue }, "leases could not be renewed");
      });
      for (const { job, abort, until } of this.active.values()) {
        if (until <= clock.now()) abort.abort(new LeaseLost(job));
      }
    }
  }

  private async beat(): Promise<void> {
    const entries = [...this.active.values()];
    if (entries.length === 0) return;
    const { db, queue, clock, leaseMs } = this.o;
    const until = clock.now() + leaseMs;
    const leases = entries.map(({ job: { key, fence } }) => ({ key, fence }));
    const held = new Set(
      (await withTx(db, (tx) => renew(tx, queue, leases, until))).map(({ fence }) => fence),
    );
    for (const entry of entries) {
      if (held.has(entry.job.fence)) entry.until = until;
      else entry.abort.abort(new LeaseLost(entry.job));
    }
  }

  private async shutDown(): Promise<void> {
    const { clock, db, queue, maxAttempts, log, drainMs = 10_000 } = this.o;
    for (const end of this.unsubscribe) end();
    this.stopping.abort();
    this.wake();
    for (const { abort } of this.active.values()) abort.abort(new Error("the worker stops"));
    await this.working;
    const drain = this.settled().finally(() => this.drained.abort());
    await Promise.race([drain, clock.sleep(drainMs, this.drained.signal)]);
    this.drained.abort();
    await this.leasing;
    const now = clock.now();
    const left = [...this.active.values()].map(({ job: { key, fence } }): Outcome => ({
      key,
      fence,
      kind: "released",
      at: now,
      error: null,
    }));
    const outcomes = [...this.outcomes.splice(0), ...left];
    try {
      await withTx(db, (tx) => settle(tx, { queue, outcomes, now, maxAttempts, skipLocked: false }));
    } catch (error) {
      log.warn({ err: error, queue }, "leases could not be returned; they run out by themselves");
    }
  }

  private track(end: Promise<void>): void {
    this.unfinished.add(end);
    void end.finally(() => this.unfinished.delete(end));
  }

  private async settled(): Promise<void> {
    while (this.unfinished.size > 0) await Promise.all(this.unfinished);
  }
}
