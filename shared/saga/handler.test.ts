import { expect, test } from "bun:test";
import { join } from "node:path";
import { Operation } from "#shared/contract/operation.ts";
import { withTx } from "#shared/db/tx.ts";
import { systemClock } from "#shared/process/clock.ts";
import { aborted, until } from "#shared/queue/fixtures.ts";
import { wrap } from "#shared/telemetry/log.ts";
import { startChild } from "#shared/testing/child.ts";
import { beginSaga } from "./begin.ts";
import { sagaForTest, sagaOf, step } from "#shared/testing/saga-steps.ts";
import type { SagaEnd } from "./saga.ts";

test("the steps are done in order, each with the state of those before, and the operation succeeds", async () => {
  await using t = await sagaForTest();
  const ends: SagaEnd<object>[] = [];
  const saga = sagaOf(
    [
      step("first", { do: async () => ({ vmid: 5000 }) }),
      step("second", { do: async ({ state }) => ({ name: `server ${state.vmid}` }) }),
    ],
    {
      onSettled: async (_, end) => void ends.push(end),
      result: ({ name }) => ({ name }),
      server: ({ vmid }) => ({ serverId: vmid?.toString() }),
    },
  );
  const id = await t.begin(saga);
  expect(await t.operation(id)).toMatchObject({ status: "queued", type: "test.saga", phase: "queued" });
  t.work([saga]);
  await until(() => ends.length === 1);
  await until(async () => (await t.operation(id)).finishedAt !== null);
  const operation = await t.operation(id);
  expect(operation).toMatchObject({
    status: "succeeded",
    phase: "succeeded",
    result: { name: "server 5000" },
    error: null,
    serverId: "5000",
    steps: [
      { name: "first", status: "done" },
      { name: "second", status: "done" },
    ],
  });
  expect(Operation.parse(operation)).toEqual(operation);
  const state = { vmid: 5000, name: "server 5000" };
  expect(ends).toEqual([{ operationId: id, customerId: "c1", status: "succeeded", state }]);
});

test("a saga begun in a transaction that fails does not exist", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([step("first")]);
  const begun = withTx(t.db, async (tx) => {
    await beginSaga(tx, saga, { operationId: "tst_1", customerId: "c1", state: {} });
    throw new Error("no");
  });
  expect(await begun.catch(String)).toBe("Error: no");
  expect(await t.operation("tst_1").catch(String)).toBe("Error: no operation tst_1");
});

test("what a step reports is shown", async () => {
  await using t = await sagaForTest();
  const gate = Promise.withResolvers<void>();
  const saga = sagaOf([
    step("copy", {
      do: async ({ progress, deps }) => {
        await progress("Copied 3 of 4 files");
        deps.push("reported");
        await gate.promise;
      },
    }),
  ]);
  const id = await t.begin(saga);
  t.work([saga]);
  await until(() => t.diary.length === 1);
  const message = "Copied 3 of 4 files";
  expect(await t.operation(id)).toMatchObject({ message, steps: [{ message, status: "running" }] });
  gate.resolve();
});

test("a worker that stops in the middle of a step fails nothing; its successor goes on", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([
    step("first"),
    step("second", {
      do: async ({ deps, attempt, signal }) => {
        deps.push(`second ${attempt}`);
        if (attempt > 1) return;
        await aborted(signal);
        throw new Error("aborted");
      },
      giveUpAfterMs: 0,
    }),
  ]);
  const id = await t.begin(saga);
  const first = t.work([saga]);
  await until(() => t.diary.length === 2);
  await first.stop();
  expect(await t.operation(id)).toMatchObject({ status: "running", phase: "second" });
  t.work([saga]);
  await until(async () => (await t.operation(id)).status === "succeeded");
  expect(t.diary).toEqual(["first", "second 1", "second 2"]);
});

test("a saga unknown to this version is put off and reported, its operation untouched", async () => {
  await using t = await sagaForTest();
  const saga = sagaOf([step("first")]);
  const id = await t.begin(saga);
  const before = await t.operation(id);
  const lines: string[] = [];
  const log = wrap((level, _, message) => void lines.push(`${level}: ${message}`), {});
  const old = t.work([sagaOf([step("other")])], { log, undefinedAfterMs: 5000 });
  await until(() => lines.length === 1);
  await old.stop();
  expect(lines).toEqual(["error: this version does not know a saga that is under way"]);
  expect(await t.operation(id)).toEqual(before);
  t.work([saga]);
  await t.clock.advance(5000);
  await until(async () => (await t.operation(id)).status === "succeeded");
});

test("what onSettled writes and the operation's end are one: if it fails, neither holds", async () => {
  await using t = await sagaForTest();
  let tries = 0;
  const saga = sagaOf([step("first")], {
    onSettled: async (tx, { operationId }) => {
      await tx`insert into queue_progress (queue, last_success_at) values (${operationId}, now())`;
      if (++tries === 1) throw new Error("not now");
    },
  });
  const id = await t.begin(saga);
  t.work([saga]);
  await until(() => tries === 1);
  await t.pass(1000);
  await until(async () => (await t.operation(id)).status === "succeeded");
  expect(tries).toBe(2);
});

test("after kill -9 another worker goes on from the last log", async () => {
  await using t = await sagaForTest();
  const seen: unknown[] = [];
  const saga = sagaOf([
    step("first"),
    step("second", { do: async ({ state, attempt }) => void seen.push({ ...state, attempt }) }),
  ]);
  const id = await t.begin(saga);
  const child = startChild(join(import.meta.dir, "saga.child.ts"), { WORKER_URL: t.pg.url });
  expect(await child.next()).toBe("second with 5000");
  await child.kill();
  expect(await t.operation(id)).toMatchObject({ status: "running", phase: "second" });
  for (let i = 0; i < 2; i++) t.work([saga], { clock: systemClock, sweepMs: 20 });
  await until(async () => (await t.operation(id)).status === "succeeded");
  expect({ seen, diary: t.diary }).toEqual({ seen: [{ vmid: 5000, attempt: 2 }], diary: [] });
});

test("a leader that was paused past its lease and woken logs nothing; the saga went on without it, once", async () => {
  await using t = await sagaForTest();
  const ends: SagaEnd<object>[] = [];
  const saga = sagaOf(
    [
      step("first", { do: async () => ({ vmid: 5000 }) }),
      step("second", { do: async () => ({ name: "of the successor" }) }),
    ],
    { onSettled: async (_, end) => void ends.push(end), result: ({ name }) => ({ name }) },
  );
  const id = await t.begin(saga);
  const leader = startChild(join(import.meta.dir, "saga.child.ts"), {
    WORKER_URL: t.pg.url,
    WORKER_LEASE_MS: "300",
  });
  expect(await leader.next()).toBe("second with 5000");
  leader.pause();
  t.work([saga], { clock: systemClock, sweepMs: 20 });
  await until(async () => (await t.operation(id)).status === "succeeded");
  const before = await t.operation(id);
  leader.resume();
  leader.tell("go on");
  expect(await leader.next()).toBe("LeaseLost");
  await leader.kill();
  expect(await t.operation(id)).toEqual(before);
  expect(before.result).toEqual({ name: "of the successor" });
  expect(ends).toHaveLength(1);
});
