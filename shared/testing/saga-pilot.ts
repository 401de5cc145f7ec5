import { expect } from "bun:test";
import type { Operation } from "#shared/contract/operation.ts";
import { withTx } from "#shared/db/tx.ts";
import { execute } from "#shared/queue/execute.ts";
import { Abort, type Job } from "#shared/queue/fence.ts";
import { claim, type Outcome, settle } from "#shared/queue/store.ts";
import { sagaHandler } from "#shared/saga/handler.ts";
import { readOperation } from "#shared/saga/operation.ts";
import type { Saga, Step } from "#shared/saga/saga.ts";
import { readSaga } from "#shared/saga/store.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "./clock.ts";
import type { SagaWorld } from "./saga.ts";

/** The saga with one step changed. */
export function alter<D, S>(
  saga: Saga<D, S>,
  at: string,
  change: (step: Step<D, S>) => Partial<Step<D, S>>,
): Saga<D, S> {
  return {
    ...saga,
    steps: saga.steps.map((step) => (step.name === at ? { ...step, ...change(step) } : step)),
  };
}

export type Pause<D, S> = { saga: Saga<D, S>; reached: Promise<"paused">; resume(): void };

/** The saga, standing still before or after the effect of one step until it is told to go on. */
export function pauseAt<D, S>(saga: Saga<D, S>, at: string, when: "before" | "after"): Pause<D, S> {
  const reached = Promise.withResolvers<"paused">();
  const gate = Promise.withResolvers<void>();
  const wait = async () => {
    reached.resolve("paused");
    await gate.promise;
  };
  const paused = alter(saga, at, (step) => ({
    do: async (c) => {
      if (when === "before") await wait();
      const found = await step.do(c);
      if (when === "after") await wait();
      return found;
    },
  }));
  return { saga: paused, reached: reached.promise, resume: () => gate.resolve() };
}

/** A run that stands still, as a worker's that was killed or suspended; `resume` shows what it would have done. */
export type Paused = { resume(): Promise<Outcome> };

const leaseMs = 60_000;
/** Far more than the back-offs of a saga need: beyond it, something is tried for ever. */
const maxRuns = 100;

/** Takes the worker's part, one run at a time, by a clock that jumps to whatever is due. */
export class Pilot<D, S extends object> {
  /** The world before the work was asked for. */
  readonly before: unknown;
  private readonly saga: Saga<D, S>;
  private readonly setup: SagaWorld<D>;
  private readonly clock = manualClock();
  private operationId = "";

  constructor(saga: Saga<D, S>, setup: SagaWorld<D>, before: unknown) {
    this.saga = saga;
    this.setup = setup;
    this.before = before;
  }

  async start(): Promise<void> {
    this.operationId = await this.setup.start();
  }

  world(): Promise<unknown> {
    return this.setup.world();
  }

  /** Runs until the operation has ended. */
  async finish(saga: Saga<D, S> = this.saga): Promise<Operation> {
    for (let run = 0; run < maxRuns; run++) {
      const operation = await this.operation();
      if (operation.finishedAt) return operation;
      await this.run(await this.claim(), saga);
    }
    const { phase, message } = await this.operation();
    throw new Error(`the saga does not end: ${phase}: ${message}`);
  }

  async run(job: Job, saga: Saga<D, S> = this.saga): Promise<void> {
    await this.end(await this.execute(saga, job));
  }

  async runUntil(pause: Pause<D, S>): Promise<Paused> {
    for (let run = 0; run < maxRuns; run++) {
      const outcome = this.execute(pause.saga, await this.claim());
      const first = await Promise.race([pause.reached, outcome]);
      if (first === "paused") {
        return {
          resume: () => {
            pause.resume();
            return outcome;
          },
        };
      }
      await this.end(first);
    }
    throw new Error("the step is never reached");
  }

  /** The saga's job, when it is due. Others in its queue are given back. */
  async claim(): Promise<Job> {
    const { queue } = this.saga;
    const dueAt = (await this.jobs()).find(({ key }) => key === this.operationId)?.dueAt.getTime() ?? 0;
    await this.clock.advance(Math.max(0, dueAt - this.clock.now()));
    const take = {
      queue,
      // Another one each time: what an earlier run still holds is not ours.
      holder: crypto.randomUUID(),
      limit: 10_000,
      except: [],
      now: this.clock.now(),
      leaseMs,
      maxAttempts: 1_000_000,
    };
    const { jobs } = await withTx(this.setup.db, (tx) => claim(tx, take));
    const others = jobs.filter(({ key }) => key !== this.operationId);
    await this.settle(
      others.map(({ key, fence }) => ({ key, fence, kind: "released", at: take.now, error: null })),
    );
    const job = jobs.find(({ key }) => key === this.operationId);
    if (!job) throw new Error(`no job of ${this.operationId} in the queue ${queue}`);
    return job;
  }

  /** Lets so much time pass that the job may be claimed again. */
  loseLease(): Promise<void> {
    return this.clock.advance(leaseMs);
  }

  /** Resumes a run whose lease is lost, and expects that it leaves log and operation as they are. */
  async expectNoWrite(paused: Paused): Promise<void> {
    const log = () =>
      withTx(this.setup.db, async (tx) => ({
        operation: await readOperation(tx, this.operationId),
        saga: await readSaga(tx, this.operationId),
      }));
    const before = await log();
    expect(await paused.resume()).toMatchObject({ kind: "released" });
    expect(await log()).toEqual(before);
  }

  private async operation(): Promise<Operation> {
    const found = await withTx(this.setup.db, (tx) => readOperation(tx, this.operationId));
    if (!found) throw new Error(`there is no operation ${this.operationId}`);
    return found.operation;
  }

  private execute(saga: Saga<D, S>, job: Job): Promise<Outcome> {
    const { db, deps } = this.setup;
    const options = { clock: this.clock, log: silentLogger, backoffMs: () => 1000 };
    const handle = sagaHandler([saga], deps, options);
    return execute({ ...options, db, handle, maxAttempts: 1 }, job, new Abort());
  }

  private async end(outcome: Outcome): Promise<void> {
    if (outcome.kind === "failed") throw new Error(`the run failed: ${outcome.error}`);
    await this.settle([outcome]);
  }

  private async settle(outcomes: Outcome[]): Promise<void> {
    const end = {
      queue: this.saga.queue,
      outcomes,
      now: this.clock.now(),
      maxAttempts: 1,
      skipLocked: false,
    };
    await withTx(this.setup.db, (tx) => settle(tx, end));
  }

  private jobs(): Promise<{ key: string; dueAt: Date }[]> {
    const { queue } = this.saga;
    return withTx(
      this.setup.db,
      (tx) => tx<{ key: string; dueAt: Date }[]>`select key, due_at from job where queue = ${queue}`,
    );
  }
}
