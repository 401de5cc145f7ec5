import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { updateOperation } from "#shared/saga/operation.ts";
import { defineSaga, nothingToUndo, type Saga, type Step } from "#shared/saga/saga.ts";
import { coreFault } from "#shared/fault/core.ts";
import { postgresForTest, type TestPostgres } from "./postgres.ts";
import { alter } from "./saga-pilot.ts";
import { type SagaHarness, sagaChecks, sagaContract } from "./saga.ts";

/** A small outside world: numbers to hand out, containers, published names, and a customer's quota. */
class Toy {
  readonly reserved = new Map<string, number>();
  readonly containers = new Map<number, { owner: string; running: boolean }>();
  readonly published: string[] = [];
  quotaUsed = 0;
  /** The host is away for the first so many calls. */
  hiccups = 0;
  writeOperation: (id: string) => Promise<void> = async () => {};

  reserve(operationId: string): number {
    const number = this.reserved.get(operationId) ?? 5000 + this.reserved.size;
    this.reserved.set(operationId, number);
    return number;
  }

  picture() {
    return {
      reserved: [...this.reserved.values()],
      containers: [...this.containers].map(([vmid, { running }]) => ({ vmid, running })),
      published: [...this.published],
      quotaUsed: this.quotaUsed,
    };
  }
}

type State = { vmid?: number; name: string };

const steps: Step<Toy, State>[] = [
  {
    name: "allocate",
    do: async ({ deps, operationId }) => ({ vmid: deps.reserve(operationId) }),
    undo: async ({ deps, operationId }) => void deps.reserved.delete(operationId),
  },
  {
    name: "clone",
    do: async ({ deps, operationId, state: { vmid = 0 } }) => {
      if (deps.hiccups-- > 0) throw coreFault("upstream.timeout");
      const found = deps.containers.get(vmid);
      if (found?.owner === operationId) return;
      deps.containers.set(vmid, { owner: operationId, running: false });
    },
    undo: async ({ deps, operationId, state: { vmid = 0 } }) => {
      if (deps.containers.get(vmid)?.owner === operationId) deps.containers.delete(vmid);
    },
  },
  {
    name: "publish",
    do: async ({ deps, state: { name } }) => {
      if (!deps.published.includes(name)) deps.published.push(name);
    },
    undo: async ({ deps, state: { name } }) => {
      const at = deps.published.indexOf(name);
      if (at >= 0) deps.published.splice(at, 1);
    },
  },
];

const toys = new Map<string, Toy>();
const createToy: Saga<Toy, State> = defineSaga({
  type: "toy.create",
  queue: "toys",
  steps,
  onSettled: async (_, { operationId, status }) => {
    const toy = toys.get(operationId);
    if (toy && status === "failed") toy.quotaUsed -= 1;
  },
});

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "toys", folders: [mechanismMigrations] });
});
afterAll(() => pg[Symbol.asyncDispose]());

/** Each set-up is a world of its own; the database holds nothing but operations, so they share it. */
function harness(saga: Saga<Toy, State>, fill: (toy: Toy) => void = () => {}): SagaHarness<Toy> {
  return {
    setup: async () => {
      const toy = new Toy();
      fill(toy);
      toy.writeOperation = (id) =>
        withTx(
          pg.db,
          async (tx) => void (await updateOperation(tx, id, { message: "written without lease" })),
        );
      return {
        db: pg.db,
        deps: toy,
        start: async () => {
          const operationId = newId("toy");
          toys.set(operationId, toy);
          toy.quotaUsed += 1;
          const state = { name: "mine" };
          await withTx(pg.db, (tx) => beginSaga(tx, saga, { operationId, customerId: "c", state }));
          return operationId;
        },
        world: async () => toy.picture(),
        dispose: async () => {},
      };
    },
  };
}

sagaContract(
  "a right one",
  createToy,
  harness(createToy, (toy) => (toy.hiccups = 2)),
);

const deleteToy: Saga<Toy, State> = defineSaga({
  type: "toy.delete",
  queue: "toys",
  steps: [
    { name: "destroy", do: async ({ deps }) => deps.containers.clear(), undo: nothingToUndo },
    { name: "release", do: async ({ deps }) => deps.reserved.clear(), undo: nothingToUndo },
    { name: "count", do: async ({ deps }) => void (deps.quotaUsed = 0), undo: nothingToUndo },
  ],
});
sagaContract("one that destroys", deleteToy, {
  ...harness(deleteToy, (toy) => toy.containers.set(toy.reserve("other"), { owner: "other", running: true })),
  reversible: false,
});

describe("a wrong saga is caught:", () => {
  const wrong: [what: string, caughtBy: string, saga: Saga<Toy, State>][] = [
    [
      "a step that repeats its effect",
      "publish: done twice, the world is the same",
      alter(createToy, "publish", () => ({
        do: async ({ deps, state }) => void deps.published.push(state.name),
      })),
    ],
    [
      "a step that repeats its effect after a crash",
      "publish: killed between effect and log, another worker resumes",
      alter(createToy, "publish", () => ({
        do: async ({ deps, state }) => void deps.published.push(state.name),
      })),
    ],
    [
      "a step that does not recognise what it made before",
      "allocate: killed between effect and log, another worker resumes",
      alter(createToy, "allocate", () => ({
        do: async ({ deps }) => ({ vmid: deps.reserve(newId("any")) }),
      })),
    ],
    [
      "an undo that forgets",
      "publish: failing before its effect, everything is undone",
      alter(createToy, "clone", () => ({ undo: nothingToUndo })),
    ],
    [
      "an undo that needs what only the lost log would have told",
      "allocate: failing after its effect, everything is undone",
      alter(createToy, "allocate", () => ({
        undo: async ({ deps, operationId, state: { vmid } }) => {
          if (vmid !== undefined) deps.reserved.delete(operationId);
        },
      })),
    ],
    [
      "an undo that cannot bear that there is nothing to undo",
      "publish: failing before its effect, everything is undone",
      alter(createToy, "publish", () => ({
        undo: async ({ deps, state: { name } }) => {
          if (!deps.published.includes(name)) throw new Error("not published");
          deps.published.length = 0;
        },
      })),
    ],
    [
      "an undo that counts twice",
      "allocate: undone twice, the second time changes nothing",
      alter(createToy, "allocate", (step) => ({
        undo: async (c) => {
          await step.undo(c);
          c.deps.quotaUsed -= 1;
        },
      })),
    ],
    [
      "a quota that stays used after a failure",
      "allocate: failing before its effect, everything is undone",
      { ...createToy, onSettled: async () => {} },
    ],
    [
      "a step that writes past the fence",
      "clone: a worker without lease cannot write",
      alter(createToy, "clone", (step) => ({
        do: async (c) => {
          await c.deps.writeOperation(c.operationId);
          return step.do(c);
        },
      })),
    ],
  ];
  for (const [what, caughtBy, saga] of wrong) {
    test(what, async () => {
      const check = sagaChecks(saga, harness(saga)).find(({ name }) => name === caughtBy);
      const verdict = await check?.run().then(
        () => "passed",
        () => "caught",
      );
      expect(verdict).toBe("caught");
    });
  }
});

test("a saga that does not get to its end at all is reported as that", async () => {
  const stuck = alter(createToy, "clone", () => ({
    do: () => Promise.reject(coreFault("upstream.timeout")),
    giveUpAfterMs: Infinity,
  }));
  const [check] = sagaChecks(stuck, harness(stuck));
  const error = await check?.run().catch(String);
  expect(error).toContain("the saga does not end: clone: Clone: The server's agent did not answer in time");
});
