import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { until } from "#shared/queue/fixtures.ts";
import { failingWith, sagaForTest, sagaOf, step } from "#shared/testing/saga-steps.ts";
import { OutcomeUnknown, type SagaEnd } from "./saga.ts";

const away = () => coreFault("upstream.timeout");

test("a retryable fault is tried again with back-off, and the operation says why", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([failingWith("clone-container", away(), away())]);
  const id = await t.begin(saga);
  t.work([saga]);
  await until(async () => (await t.operation(id)).message.includes("trying again"));
  expect(await t.operation(id)).toMatchObject({
    status: "running",
    phase: "clone-container",
    message: "Clone container: The server's agent did not answer in time; trying again",
  });
  await t.pass(1000);
  await until(() => t.diary.length === 2);
  await t.pass(1000);
  await until(async () => (await t.operation(id)).status === "succeeded");
  expect(t.diary).toEqual(["clone-container 1", "clone-container 2", "clone-container 3"]);
});

test("a step gives up after its time, also when workers came and went meanwhile", async () => {
  await using t = await sagaForTest();
  const first = step("first", { do: () => Promise.reject(away()), giveUpAfterMs: 2500 });
  const saga = sagaOf([first]);
  const id = await t.begin(saga);
  for (let tries = 1; tries <= 3; tries++) {
    const worker = t.work([saga], { backoffMs: () => 1000 });
    const tried = async () => (await attempts(t)) === tries;
    await until(tried);
    await worker.stop();
    await t.clock.advance(1000);
  }
  t.work([saga]);
  await until(async () => (await t.operation(id)).status === "failed");
  expect((await t.operation(id)).error).toEqual({
    code: "upstream.timeout",
    message: "The server's agent did not answer in time",
    retryable: true,
  });
  expect(t.diary).toEqual(["undo first"]);
});

async function attempts(t: Awaited<ReturnType<typeof sagaForTest>>): Promise<number> {
  const [row] = await withTx(
    t.db,
    (tx) => tx<{ attempt: number; waiting: boolean }[]>`
      select attempt, exists (select from saga_step where message like '%again') as waiting from saga`,
  );
  return row?.waiting ? row.attempt : 0;
}

test("while an outcome is unknown the operation says so, until a later try settles it", async () => {
  await using t = await sagaForTest();
  const looking = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const saga = sagaOf([
    step("clone", {
      do: async ({ attempt }) => {
        if (attempt === 1) throw new OutcomeUnknown("The host did not say whether it made a copy");
        if (attempt === 2) throw away();
        looking.resolve();
        await gate.promise;
      },
    }),
  ]);
  const id = await t.begin(saga);
  t.work([saga]);
  const says = (message: string) => until(async () => (await t.operation(id)).message === message);
  await says("Clone: The host did not say whether it made a copy; looking again");
  expect((await t.operation(id)).status).toBe("unknown");
  await t.pass(1000);
  await says("Clone: The server's agent did not answer in time; looking again");
  expect((await t.operation(id)).status).toBe("unknown");
  await t.pass(1000);
  await looking.promise;
  expect((await t.operation(id)).status).toBe("unknown");
  gate.resolve();
  await until(async () => (await t.operation(id)).status === "succeeded");
});

test("an outcome that stays unknown makes the saga unwind when the step gives up", async () => {
  await using t = await sagaForTest();
  const unknown = step("clone", { do: () => Promise.reject(new OutcomeUnknown()), giveUpAfterMs: 0 });
  const saga = sagaOf([step("first"), unknown]);
  const id = await t.begin(saga);
  t.work([saga]);
  await until(async () => (await t.operation(id)).status === "failed");
  expect((await t.operation(id)).error).toMatchObject({ code: "operation.outcome_unknown", retryable: true });
  expect(t.diary).toEqual(["first", "undo clone", "undo first"]);
});

test("any other error unwinds in reverse, the failing step first, and shows nothing internal", async () => {
  await using t = await sagaForTest();
  const ends: SagaEnd<object>[] = [];
  const undoing = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const saga = sagaOf(
    [
      step("first", {
        undo: async ({ deps }) => {
          undoing.resolve();
          await gate.promise;
          deps.push("undo first");
        },
      }),
      step("second", { do: () => Promise.reject(new Error("relation server_secret does not exist")) }),
      step("third"),
    ],
    { onSettled: async (_, end) => void ends.push(end) },
  );
  const id = await t.begin(saga);
  t.work([saga]);
  await undoing.promise;
  expect(await t.operation(id)).toMatchObject({
    status: "running",
    phase: "undo:first",
    message: "Undoing: First",
  });
  gate.resolve();
  await until(async () => (await t.operation(id)).status === "failed");
  const error = { code: "internal.error", message: "Internal error", retryable: false };
  expect(await t.operation(id)).toMatchObject({
    phase: "failed",
    message: "Internal error",
    error,
    result: null,
    steps: [
      { name: "first", status: "undone" },
      { name: "second", status: "failed", message: "Internal error" },
      { name: "third", status: "pending", startedAt: null },
    ],
  });
  expect(t.diary).toEqual(["first", "undo second", "undo first"]);
  expect(ends).toMatchObject([{ status: "failed", error }]);
});

test("an undo is tried until it works", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([
    step("first", {
      do: () => Promise.reject(coreFault("upstream.rejected")),
      undo: async ({ deps, attempt }) => {
        deps.push(`undo ${attempt}`);
        if (attempt === 1) throw new Error("a bug");
        if (attempt === 2) throw new OutcomeUnknown("No answer");
      },
      giveUpAfterMs: 0,
    }),
  ]);
  const id = await t.begin(saga);
  t.work([saga]);
  for (const [tries, status] of [
    [1, "running"],
    [2, "unknown"],
  ] as const) {
    await until(async () => t.diary.length === tries && (await t.operation(id)).message.includes("again"));
    await until(async () => (await t.operation(id)).status === status);
    await t.pass(1000);
  }
  await until(async () => (await t.operation(id)).status === "failed");
  expect(t.diary).toEqual(["undo 1", "undo 2", "undo 3"]);
});
