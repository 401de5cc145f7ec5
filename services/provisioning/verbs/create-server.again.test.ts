import { afterAll, describe, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { updateOperation } from "#shared/saga/operation.ts";
import { saveAccount } from "../store.ts";
import { freeAccount } from "../testing/provisioning.ts";
import { ordersForTest } from "../testing/orders.ts";

const made = await ordersForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { newAccount, query, create, outcome, operationsOf } = made;

describe("createServer asked again", () => {
  test("202 again: ten equal creates at once with one key make one server and have one answer", async () => {
    const actor = newAccount();
    const key = newId("key");
    const input = { name: "one", memoryMiB: 512 };
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(actor, input, key)));
    expect(new Set(answers.map(({ reply }) => JSON.stringify(reply))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true")).toHaveLength(9);
    expect(await operationsOf(actor)).toBe(1);
    const later = await create(actor, { memoryMiB: 512, name: "one" }, key);
    expect(answers[0]?.reply).toEqual(later.reply);
    expect(later.headers).toEqual({ location: later.reply.statusUrl, "idempotency-replayed": "true" });
  });

  test("202 again: a double click, the same twice without a key, makes one server", async () => {
    const actor = newAccount();
    const input = { name: "clicked", memoryMiB: 512 };
    const answers = await Promise.all([
      create(actor, input),
      create(actor, { ...input, customerId: "acc_old_portal" }),
      create(actor, { memoryMiB: 512, name: "clicked" }),
    ]);
    expect(new Set(answers.map(({ reply }) => JSON.stringify(reply))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true")).toHaveLength(2);
    expect(await operationsOf(actor)).toBe(1);
    await create(actor, { ...input, name: "another" });
    await create(newAccount(), input);
    await create(actor, input, newId("key"));
    expect(await operationsOf(actor)).toBe(3);
  });

  test("202: the same without a key after half a minute, when the first is there, or after a failure, is another server", async () => {
    const actor = newAccount();
    const first = await create(actor);
    const age = (seconds: number) =>
      query(
        (tx) => tx`update idempotency set created_at = created_at - ${seconds} * interval '1 second'
        where scope like ${`%${actor.id}%`}`,
      );
    await age(25);
    expect((await create(actor)).headers["idempotency-replayed"]).toBe("true");
    await age(5);
    // Nobody clicks again for a second one while the first is still being made.
    expect((await create(actor)).reply).toEqual(first.reply);
    await query((tx) => updateOperation(tx, first.reply.operationId, { status: "succeeded" }));
    const second = await create(actor);
    expect(second.headers["idempotency-replayed"]).toBeUndefined();
    await query((tx) => updateOperation(tx, second.reply.operationId, { status: "failed" }));
    expect((await create(actor)).headers["idempotency-replayed"]).toBeUndefined();
    expect(await operationsOf(actor)).toBe(3);
  });

  test("202: one key of two accounts is two keys", async () => {
    const key = newId("key");
    const [one, other] = [await create(newAccount(), {}, key), await create(newAccount(), {}, key)];
    expect(other.reply.operationId).not.toBe(one.reply.operationId);
  });

  test("202: a refused create does not use up its key", async () => {
    const actor = newAccount({ limits: { ...freeAccount("").limits, servers: 0 } });
    const key = newId("key");
    expect(await outcome(create(actor, {}, key))).toBe("provisioning.quota_exceeded");
    await query((tx) => saveAccount(tx, { ...freeAccount(actor.id), version: 2 }));
    expect(await outcome(create(actor, {}, key))).toBe("202");
  });

  test.each(["", "with space", "k".repeat(256)])("400 idempotency.key_invalid: %j", async (key) => {
    expect(await outcome(create(newAccount(), {}, key))).toBe("idempotency.key_invalid");
  });

  test("422 idempotency.key_reused: the same key with another body", async () => {
    const actor = newAccount();
    const key = newId("key");
    await create(actor, { name: "one" }, key);
    expect(await outcome(create(actor, { name: "two" }, key))).toBe("idempotency.key_reused");
    expect(await operationsOf(actor)).toBe(1);
  });
});
