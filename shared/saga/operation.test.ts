import { expect, test } from "bun:test";
import { Operation } from "#shared/contract/operation.ts";
import { withTx } from "#shared/db/tx.ts";
import { newInstanceId } from "#shared/ids/ids.ts";
import { queueForTest } from "#shared/queue/fixtures.ts";
import { createOperation, type OperationPatch, readOperation, updateOperation } from "./operation.ts";

async function operationForTest() {
  const q = await queueForTest();
  const id = "srv_1";
  return {
    create: (o = {}) =>
      withTx(q.db, (tx) =>
        createOperation(tx, { id, type: "t", customerId: "c1", phase: "queued", message: "Waiting", ...o }),
      ),
    update: (patch: OperationPatch) => withTx(q.db, (tx) => updateOperation(tx, id, patch)),
    read: () => withTx(q.db, (tx) => readOperation(tx, id)),
    [Symbol.asyncDispose]: () => q[Symbol.asyncDispose](),
  };
}

test("a new operation is queued, and has the shape of its contract", async () => {
  await using o = await operationForTest();
  expect(await o.read()).toBeUndefined();
  expect(await o.update({ message: "nobody" })).toBe(false);
  await o.create();
  const found = await o.read();
  expect(found).toEqual({
    customerId: "c1",
    operation: {
      id: "srv_1",
      type: "t",
      status: "queued",
      phase: "queued",
      message: "Waiting",
      startedAt: null,
      finishedAt: null,
      result: null,
      error: null,
      statusUrl: "/api/operations/srv_1",
    },
  });
  const operation: unknown = found?.operation;
  expect(operation).toEqual(Operation.parse(operation));
});

test("the times follow from the status", async () => {
  await using o = await operationForTest();
  await o.create();
  await o.update({ status: "running", phase: "first" });
  const running = (await o.read())?.operation;
  expect(running).toMatchObject({ status: "running", phase: "first", message: "Waiting", finishedAt: null });
  await o.update({ status: "succeeded", result: { size: 3 } });
  const ended = (await o.read())?.operation;
  expect(ended).toMatchObject({
    status: "succeeded",
    result: { size: 3 },
    startedAt: running?.startedAt ?? "",
  });
  expect(Date.parse(ended?.finishedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(ended?.startedAt ?? ""));
});

test("an operation may begin at once, and knows its server", async () => {
  await using o = await operationForTest();
  const instanceId = newInstanceId();
  await o.create({ status: "running", instanceId });
  await o.update({ serverId: "5000" });
  expect((await o.read())?.operation).toMatchObject({ serverId: "5000", status: "running" });
});

test("what is not given stays", async () => {
  await using o = await operationForTest();
  await o.create({ status: "running" });
  const error = { code: "a.b", message: "Something", retryable: true, details: { upstream: {} } };
  await o.update({ error, result: { a: 1 } });
  await o.update({ message: "Later" });
  expect((await o.read())?.operation).toMatchObject({ error, result: { a: 1 }, message: "Later" });
});

test("the outcome of an operation is final", async () => {
  await using o = await operationForTest();
  await o.create();
  expect(await o.update({ status: "cancelled" })).toBe(true);
  expect(await o.update({ status: "running", message: "Risen" })).toBe(false);
  expect((await o.read())?.operation).toMatchObject({ status: "cancelled", message: "Waiting" });
});
