// What every saga must stand, as generated tests: `sagaContract("create a server", createServer, harness)`.
import { describe, expect, test } from "bun:test";
import type { Db } from "#shared/db/connect.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Saga, Step } from "#shared/saga/saga.ts";
import { alter, Pilot, pauseAt } from "./saga-pilot.ts";

export type SagaWorld<D> = {
  db: Db;
  deps: D;
  /** Accepts the work as production does (`beginSaga` in a transaction); resolves with the operation's id. No worker runs. */
  start(): Promise<string>;
  /**
   * A picture of everything that the saga affects, outside systems and tables alike: what is there, what is reserved,
   * what is locked. Comparable between two set-ups, so without chance ids and times, and without the operation itself.
   */
  world(): Promise<unknown>;
  dispose(): Promise<void>;
};

export type SagaHarness<D> = {
  /** A new world, as it is before the work is asked for. */
  setup(): Promise<SagaWorld<D>>;
  /**
   * False for a saga that destroys: a failure cannot bring back what is gone. Instead of undoing everything, it must
   * then be possible to ask for the same work again.
   */
  reversible?: boolean;
  /** For one test, in milliseconds; 20,000 by default. */
  timeoutMs?: number;
};

export type SagaCheck = { name: string; run(): Promise<void> };

/** Registers one test per step and disturbance. */
export function sagaContract<D, S extends object>(
  name: string,
  saga: Saga<D, S>,
  harness: SagaHarness<D>,
): void {
  describe(`saga: ${name}`, () => {
    for (const check of sagaChecks(saga, harness))
      test(check.name, () => check.run(), harness.timeoutMs ?? 20_000);
  });
}

/** The tests of `sagaContract`, not registered: each rejects when the saga does not stand it. */
export function sagaChecks<D, S extends object>(saga: Saga<D, S>, harness: SagaHarness<D>): SagaCheck[] {
  const { reversible = true } = harness;
  let undisturbed: Promise<unknown> | undefined;
  const expectSuccess = async (pilot: Pilot<D, S>, altered?: Saga<D, S>) => {
    undisturbed ??= within(saga, harness, async (calm) => {
      expect(await calm.finish()).toMatchObject({ status: "succeeded", error: null });
      return calm.world();
    });
    const expected = await undisturbed;
    expect(await pilot.finish(altered)).toMatchObject({ status: "succeeded", error: null });
    expect(await pilot.world()).toEqual(expected);
  };
  const expectFailure = async (pilot: Pilot<D, S>, faulty: Saga<D, S>, at: string) => {
    const operation = await pilot.finish(faulty);
    expect(operation).toMatchObject({ status: "failed", error: { code: injected.code, retryable: false } });
    const place = saga.steps.findIndex((step) => step.name === at);
    const statuses = saga.steps.map((_, i) => (i < place ? "undone" : i === place ? "failed" : "pending"));
    expect(operation?.steps?.map((step) => step.status)).toEqual(statuses);
    if (reversible) expect(await pilot.world()).toEqual(pilot.before);
  };
  const last = saga.steps.at(-1)?.name ?? "";

  return saga.steps.flatMap(({ name }): SagaCheck[] => {
    const check = (what: string, run: (pilot: Pilot<D, S>) => Promise<void>): SagaCheck => ({
      name: `${name}: ${what}`,
      run: () => within(saga, harness, run),
    });
    const failing = (what: string, fail: (step: Step<D, S>) => Partial<Step<D, S>>): SagaCheck =>
      check(
        reversible ? `${what}, everything is undone` : `${what}, it can be asked for again`,
        async (pilot) => {
          await expectFailure(pilot, alter(saga, name, fail), name);
          if (reversible) return;
          await pilot.start();
          await expectSuccess(pilot);
        },
      );
    return [
      check("done twice, the world is the same", async (pilot) => {
        await expectSuccess(
          pilot,
          alter(saga, name, (step) => ({ do: async (c) => (await step.do(c), step.do(c)) })),
        );
      }),
      failing("failing before its effect", () => ({ do: () => Promise.reject(injected) })),
      failing("failing after its effect", failAfter),
      check("undone twice, the second time changes nothing", async (pilot) => {
        const seen: unknown[] = [];
        const undoTwice = alter(saga, name, (step) => ({
          undo: async (c) => {
            for (let i = 0; i < 2; i++) {
              await step.undo(c);
              seen.push(await pilot.world());
            }
          },
        }));
        await expectFailure(pilot, alter(undoTwice, last, failAfter), last);
        expect(seen[1]).toEqual(seen[0]);
      }),
      check("killed between effect and log, another worker resumes", async (pilot) => {
        const killed = await pilot.runUntil(pauseAt(saga, name, "after"));
        await pilot.loseLease();
        await expectSuccess(pilot);
        await pilot.expectNoWrite(killed);
      }),
      check("a worker without lease cannot write", async (pilot) => {
        const paused = await pilot.runUntil(pauseAt(saga, name, "before"));
        await pilot.loseLease();
        const successor = await pilot.claim();
        await pilot.expectNoWrite(paused);
        await pilot.run(successor);
        await expectSuccess(pilot);
      }),
    ];
  });
}

const injected = new Fault({ code: "test.injected", status: 500, title: "Injected by the test" });

function failAfter<D, S>(step: Step<D, S>): Partial<Step<D, S>> {
  return {
    do: async (c) => {
      await step.do(c);
      throw injected;
    },
  };
}

async function within<D, S extends object, T>(
  saga: Saga<D, S>,
  harness: SagaHarness<D>,
  fn: (pilot: Pilot<D, S>) => Promise<T>,
): Promise<T> {
  const setup = await harness.setup();
  try {
    const pilot = new Pilot(saga, setup, await setup.world());
    await pilot.start();
    return await fn(pilot);
  } finally {
    await setup.dispose();
  }
}
