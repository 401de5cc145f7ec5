import { afterAll, expect, test } from "bun:test";
import { freeCloneSlot, takeCloneSlot } from "./store.ts";
import { provisioningForTest } from "./testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { query } = provisioning;

const take = (operationId: string, holder: string, now: number) =>
  query((tx) => takeCloneSlot(tx, { operationId, holder, storage: "s", slots: 1, now, leaseMs: 1_000 }));
const free = (operationId: string, holder: string) => query((tx) => freeCloneSlot(tx, operationId, holder));

test("a clone slot that a later try has taken over is not given back by the one before", async () => {
  const first = await take("prv_1", "stale", 1_000);
  expect(first).toEqual(new Date(1_000));
  // The time counts from the operation's first turn.
  expect(await take("prv_1", "successor", 1_500)).toEqual(new Date(1_000));
  await free("prv_1", "stale");
  expect(await take("prv_2", "other", 1_600)).toBeUndefined();
  await free("prv_1", "successor");
  expect(await take("prv_2", "other", 1_600)).toEqual(new Date(1_600));
});
