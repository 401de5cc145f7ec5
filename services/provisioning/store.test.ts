import { afterAll, expect, test } from "bun:test";
import { freeCloneSlot, takeCloneSlot } from "./store.ts";
import { provisioningForTest } from "./testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { query } = provisioning;

const take = (operationId: string, holder: string, storage: string) =>
  query((tx) => takeCloneSlot(tx, { operationId, holder, storage, slots: 1, leaseMs: 60_000 }));
const free = (operationId: string, holder: string) => query((tx) => freeCloneSlot(tx, operationId, holder));
/** As if so many milliseconds had gone by since everything was written. */
const age = (ms: number) =>
  query((tx) => {
    const by = tx`${ms} * interval '1 millisecond'`;
    return tx`update clone_slot set taken_at = taken_at - ${by}, lease_until = lease_until - ${by}`;
  });

test("a clone slot that a later try has taken over is not given back by the one before", async () => {
  expect(await take("prv_1", "stale", "s")).toBe(0);
  await age(50_000);
  // The time counts from the operation's first turn.
  expect(await take("prv_1", "successor", "s")).toBeWithin(50_000, 60_000);
  await free("prv_1", "stale");
  expect(await take("prv_2", "other", "s")).toBeUndefined();
  await free("prv_1", "successor");
  expect(await take("prv_2", "other", "s")).toBe(0);
});

test("a clone slot whose holder has vanished falls free when its lease is over, and is extended by each try", async () => {
  expect(await take("prv_3", "first", "t")).toBe(0);
  await age(50_000);
  await take("prv_3", "second", "t");
  await age(50_000);
  expect(await take("prv_4", "other", "t")).toBeUndefined();
  await age(10_000);
  expect(await take("prv_4", "other", "t")).toBe(0);
});
