import { single, withTx } from "#shared/db/tx.ts";
import { execute } from "./execute.ts";
import { Abort, type Job, LeaseLost } from "./fence.ts";
import { type Hand, offerHands } from "./hands.ts";
import { keepLeases, type Leased } from "./leases.ts";
import type { Worker, WorkerOptions } from "./options.ts";
import { type Outcome, released, settle, sorted, type Turn, turn } from "./store.ts";
import { Tally } from "./tally.ts";
import { onLocalWork } from "./wakes.ts";

export type { Worker, WorkerOptions } from "./options.ts";

/**
 * Works on one queue until stopped. One loop settles what has ended and claims what is due, both for many jobs in one
 * transaction: the busier the worker, the larger the batches. Another one renews the leases.
 */
export function startWorker(o: WorkerOptions): Worker {
  return new QueueWorker(o);
}

class QueueWorker implements Worker {
  /** Names this worker in its rows. */
  private readonly holder = crypto.randomUUID();
  private readonly active = new Map<string, Leased>();
  /** Keys whose hands are kept for jobs that are being asked for. */
  private readonly kept = new Set<string>();
  /** Keys whose end is written on its own. */
  private readonly alone = new Set<string>();
  /** Hands kept, runs, and ends that are written on their own: what a stopping worker waits for. */
  private readonly unfinished = new Tally();
  private outcomes: Outcome[] = [];
  /** There may be jobs that nobody looked for. */
  private hungry = true;
  /** When to look even if nobody calls. */
  private lookAt = 0;
  /** More jobs may be waiting than there were hands, or than this process knows of: nobody may overtake them. */
  private crowded = true;
  /** Jobs of `active` that wait for a hand, because more came than expected, and since when. */
  private ready: { leased: Leased; since: number }[] = [];
  private running = 0;
  /** Keys that were asked for as our own and may or may not be committed, and until when their lease would last. */
  private readonly doubtful = new Map<string, number>();
  /** Ends the rest between two turns. */
  private pause = new AbortController();
  /** Ends the wait for more ends. */
  private called = new AbortController();
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
    const { db, queue, wake: bus } = o;
    this.unsubscribe = [
      onLocalWork(queue, () => this.tell()),
      offerHands(db, queue, (key) => this.keep(key)),
    ];
    if (bus) this.unsubscribe.push(bus.subscribe(queue, () => this.wake()));
    this.working = this.work();
    this.leasing = keepLeases(o, this.active, this.drained.signal);
  }

  wake(): void {
    this.crowded = true;
    this.look();
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private look(): void {
    this.hungry = true;
    this.called.abort();
    this.stir();
  }

  private stir(): void {
    this.pause.abort();
  }

  /** Other processes hear of new work too, once per turn: this one may have its hands full. */
  private tell(): void {
    this.look();
    if (!this.told) this.o.wake?.notify(this.o.queue);
    this.told = true;
  }

  /**
   * Keeps a hand for a job that is being asked for in this process, unless others wait for one. What is on its way from
   * the queue at the same time comes first or waits for the next hand. A key in doubt is left to the queue: a look that
   * is under way may take it for the forgotten one.
   */
  private keep(key: string): Hand | undefined {
    const { concurrency, clock, leaseMs } = this.o;
    // Half of them are left for what may wait and was not looked for.
    const hands = this.hungry ? Math.floor(concurrency / 2) : concurrency;
    const free = this.active.size + this.kept.size < hands && !this.stopping.signal.aborted;
    if (!free || this.crowded) return undefined;
    if (this.active.has(key) || this.kept.has(key) || this.doubtful.has(key)) return undefined;
    this.kept.add(key);
    this.unfinished.add();
    const until = clock.now() + leaseMs;
    const end = () => {
      if (this.kept.delete(key)) this.unfinished.done();
    };
    return {
      holder: `${this.holder}*`,
      until,
      begin: (job) => {
        this.begin(job, until);
        end();
      },
      drop: (doubt) => {
        if (doubt) this.doubtful.set(key, until);
        end();
        this.look();
      },
    };
  }

  private async work(): Promise<void> {
    const { queue, clock, log, sweepMs, gatherMs = 2 } = this.o;
    for (let failures = 0; !this.stopping.signal.aborted;) {
      this.pause = new AbortController();
      this.called = new AbortController();
      this.told = false;
      try {
        await this.turn();
        if (failures > 0) log.info({ queue }, "the queue can be reached again");
        failures = 0;
        await clock.sleep(this.restMs(), this.pause.signal);
        // While more is asked for here, ends wait for those of the next jobs, so that one commit is for many.
        if (this.kept.size > 0 && !this.hungry) await clock.sleep(gatherMs, this.called.signal);
        // A clock that was put back puts no look off.
        const leftMs = this.lookAt - clock.now();
        if (leftMs <= 0 || leftMs > sweepMs) this.hungry = this.crowded = true;
      } catch (error) {
        // Said once: an outage would otherwise fill the log.
        if (failures++ === 0) log.error({ err: error, queue }, "the queue cannot be reached; trying again");
        this.hungry = this.crowded = true;
        await clock.sleep(outagePauseMs(failures), this.stopping.signal);
      }
    }
  }

  /** How long to rest if nobody calls. A worker whose hands are full is called by whatever ends. */
  private restMs(): number {
    if (this.ready.length > 0) return patienceMs;
    return this.hungry ? this.o.sweepMs : Math.min(this.o.sweepMs, this.lookAt - this.o.clock.now());
  }

  /** Settles, claims, starts. */
  private async turn(): Promise<void> {
    const { concurrency, clock, sweepMs } = this.o;
    this.giveBack(clock.now());
    const limit = concurrency - this.active.size - this.kept.size;
    const now = clock.now();
    const looking = this.hungry && limit > 0;
    if (this.outcomes.length === 0 && !looking) return;
    const outcomes = this.outcomes.splice(0);
    if (looking) this.hungry = false;
    for (const [key, until] of this.doubtful) if (until <= now) this.doubtful.delete(key);
    const doubtful = looking ? [...this.doubtful.keys()] : [];
    const found = await this.ask(outcomes, { looking, limit, now, doubtful });
    const { jobs, dead } = sorted(this.o.queue, found.claimed ?? []);
    for (const job of jobs) this.begin(job, now + this.o.leaseMs);
    for (const job of dead) this.o.log.error({ job }, "a job is dead: its workers vanished");
    if (looking) {
      this.lookAt = Math.min(now + sweepMs, found.nextDue ?? Infinity);
      this.crowded = found.more;
    }
    if (found.kept || (looking && this.crowded)) this.hungry = true;
    if (this.hungry || this.outcomes.length > 0 || this.ready.length > 0) this.stir();
    this.settleRest(outcomes, new Set(found.settled));
  }

  private async ask(
    outcomes: Outcome[],
    o: { looking: boolean; limit: number; now: number; doubtful: string[] },
  ): Promise<Turn> {
    const { db, queue, leaseMs, maxAttempts } = this.o;
    const { looking: hungry, ...rest } = o;
    const ended = outcomes.map(({ key }) => key);
    const except = hungry ? [...this.active.keys(), ...this.kept, ...this.alone, ...ended] : [];
    const { holder } = this;
    const [found] = await single(db, (sql) =>
      turn(sql, { queue, holder, outcomes, hungry, except, leaseMs, maxAttempts, ...rest }),
    ).catch((error: unknown) => {
      this.outcomes.unshift(...outcomes);
      throw error;
    });
    if (!found) throw new Error("a turn without an answer");
    return found;
  }

  private settleRest(outcomes: Outcome[], settled: Set<string>): void {
    if (settled.size > 0) this.o.settled?.([...settled]);
    for (const left of outcomes) if (!settled.has(left.key)) void this.settleAlone(left);
  }

  private begin(job: Job, until: number): void {
    const { key } = job;
    const now = this.o.clock.now();
    this.doubtful.delete(key);
    // What took so long that the lease may be over before it is renewed begins anew: another worker may have it.
    if (this.stopping.signal.aborted || until - now < this.o.leaseMs / 2) {
      this.outcomes.push(released(job, now));
      this.stir();
      return;
    }
    const leased = { job, abort: new Abort(), until };
    // A run whose lease was lost may still be ending.
    this.active.get(key)?.abort.abort(new LeaseLost(job));
    this.active.set(key, leased);
    this.ready.push({ leased, since: now });
    this.fill();
  }

  /** Puts free hands to work. */
  private fill(): void {
    while (this.running < this.o.concurrency && !this.stopping.signal.aborted) {
      const leased = this.ready.shift()?.leased;
      if (!leased) return;
      if (leased.abort.aborted) {
        this.leave(leased);
        continue;
      }
      this.running++;
      this.unfinished.add();
      void execute(this.o, leased.job, leased.abort).then((outcome) => {
        this.running--;
        this.leave(leased);
        this.outcomes.push(outcome);
        this.fill();
        this.stir();
        this.unfinished.done();
      });
    }
  }

  private leave(leased: Leased): void {
    if (this.active.get(leased.job.key) === leased) this.active.delete(leased.job.key);
  }

  /** Jobs that no hand became free for go back, so that another process may have one; here nobody overtakes them again. */
  private giveBack(now: number): void {
    for (const { leased } of this.ready.filter(({ since }) => since + patienceMs <= now)) {
      const { job } = leased;
      this.leave(leased);
      this.crowded = true;
      this.outcomes.push(released(job, now));
    }
    this.ready = this.ready.filter(({ since }) => since + patienceMs > now);
  }

  /** A row that somebody has locked (an `enqueue` in a transaction not yet committed) is waited for on its own. */
  private async settleAlone(outcome: Outcome): Promise<void> {
    const { db, queue, clock, maxAttempts, log } = this.o;
    const { key } = outcome;
    const one = { queue, outcomes: [outcome], maxAttempts, skipLocked: false };
    this.alone.add(key);
    this.unfinished.add();
    try {
      const settled = await withTx(db, (tx) => settle(tx, { ...one, now: clock.now() }));
      if (settled.length === 0) log.warn({ queue, key }, "a lease was lost before its job ended");
      else this.o.settled?.(settled);
    } catch (error) {
      log.warn({ err: error, queue, key }, "how a job ended could not be noted; it will run again");
    }
    this.alone.delete(key);
    this.look();
    this.unfinished.done();
  }

  private async shutDown(): Promise<void> {
    const { clock, db, queue, maxAttempts, log, drainMs = 10_000 } = this.o;
    for (const end of this.unsubscribe) end();
    this.stopping.abort();
    this.wake();
    for (const { abort } of this.active.values()) abort.abort(new Error("the worker stops"));
    const drain = this.working.then(() => this.unfinished.none()).finally(() => this.drained.abort());
    await Promise.race([drain, clock.sleep(drainMs, this.drained.signal)]);
    this.drained.abort();
    await this.leasing;
    const now = clock.now();
    const left = [...this.active.values()].map(({ job }) => released(job, now));
    const outcomes = [...this.outcomes.splice(0), ...left];
    try {
      await withTx(db, (tx) => settle(tx, { queue, outcomes, now, maxAttempts, skipLocked: false }));
    } catch (error) {
      log.warn({ err: error, queue }, "leases could not be returned; they run out by themselves");
    }
  }
}

/** How long a job may wait in a worker for a free hand, in milliseconds. */
const patienceMs = 100;

/** Milliseconds to wait after that many failures in a row to reach the database; not long, so that work goes on with it. */
const outagePauseMs = (failures: number) => Math.min(1_000, 50 * 2 ** failures);
