import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { until } from "#shared/queue/fixtures.ts";
import { abandonSaga } from "./begin.ts";
import { failingWith, type SagaFixture, sagaForTest, sagaOf, step } from "./fixtures.ts";

const stuck = { code: "controller.stuck", message: "There was no progress", retryable: true };
const abandon = (t: SagaFixture, id: string) => withTx(t.db, (tx) => abandonSaga(tx, id, stuck));
const failed = (t: SagaFixture, id: string) => until(async () => (await t.operation(id)).status === "failed");

test("an abandoned saga unwinds at the next boundary, with the given error", async () => {
  await using t = await sagaForTest();
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const second = step("second", {
    do: async ({ deps }) => {
      reached.resolve();
      await gate.promise;
      deps.push("second");
    },
  });
  const saga = sagaOf([step("first"), second, step("third")]);
  const id = await t.begin(saga);
  t.work([saga]);
  await reached.promise;
  expect(await abandon(t, id)).toBe(true);
  gate.resolve();
  await failed(t, id);
  expect(t.diary).toEqual(["first", "second", "undo second", "undo first"]);
  expect(await t.operation(id)).toMatchObject({
    error: stuck,
    steps: [{}, { status: "undone" }, { status: "pending" }],
  });
  expect(await abandon(t, id)).toBe(false);
});

test("a saga that waits for its next try is abandoned at once, and the step that was tried is undone", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([step("first"), failingWith("second", coreFault("upstream.timeout"))]);
  const id = await t.begin(saga);
  t.work([saga]);
  await until(async () => (await t.operation(id)).message.includes("trying again"));
  await abandon(t, id);
  await failed(t, id);
  expect(t.diary).toEqual(["first", "second 1", "undo second", "undo first"]);
  expect((await t.operation(id)).steps?.[1]).toMatchObject({ status: "failed", message: stuck.message });
});

test("a saga that was never begun has nothing to undo", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([step("first")]);
  const id = await t.begin(saga);
  expect(await abandon(t, id)).toBe(true);
  t.work([saga]);
  await failed(t, id);
  expect(t.diary).toEqual([]);
  expect(await abandon(t, "tst_none")).toBe(false);
});

test("a saga needs steps, and a name for each", () => {
  expect(() => sagaOf([])).toThrow("has no steps");
  expect(() => sagaOf([step("a"), step("a")])).toThrow("two steps of one name");
});
