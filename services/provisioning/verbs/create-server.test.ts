import { afterAll, describe, expect, test } from "bun:test";
import type { z } from "zod";
import { serviceActor } from "#shared/contract/actor.ts";
import { Fault } from "#shared/fault/fault.ts";
import { newId } from "#shared/ids/ids.ts";
import { updateOperation } from "#shared/saga/operation.ts";
import { provisioning as contract } from "../contract.ts";
import { saveAccount } from "../store.ts";
import { account, freeAccount, provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { newAccount, query, billing } = provisioning;

type Account = ReturnType<typeof newAccount>;
type Reply = z.output<(typeof contract)["routes"]["createServer"]["reply"]>;

async function create(actor: Account, input: object = {}, key?: string) {
  const { reply, headers } = await provisioning.call("createServer", input, actor, key);
  return { reply: contract.routes.createServer.reply.parse(reply), headers };
}

/** How a create ended: "202", or the code of its fault. */
const outcome = (creating: Promise<unknown>): Promise<string> =>
  creating.then(
    () => "202",
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );

async function operationsOf({ id }: Account): Promise<number> {
  return (await query((tx) => tx`select 1 from operation where customer_id = ${id}`)).length;
}

/** What the accepted work was begun with. */
async function orderOf({ operationId }: Reply) {
  const [row] = await query((tx) => tx`select state from saga where operation_id = ${operationId}`);
  return row?.["state"] as unknown;
}

describe("createServer", () => {
  test("202: accepted, stored and queued, with everything that a client follows it by", async () => {
    const actor = newAccount();
    const { reply, headers } = await create(actor, { name: " My world ", memoryMiB: 512, ctype: "game" });
    const { operationId } = reply;
    expect(operationId).toMatch(/^prv_[0-9a-z]{26}$/);
    const statusUrl = `/api/operations/${operationId}`;
    expect(reply).toMatchObject({
      ok: true,
      statusUrl,
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
      operation: { id: operationId, type: "create-game", status: "queued", finishedAt: null, statusUrl },
    });
    expect(reply.operation.steps).toHaveLength(11);
    expect(headers).toEqual({ location: statusUrl });
    expect(await orderOf(reply)).toMatchObject({
      accountId: actor.id,
      name: "My world",
      memoryMiB: 512,
      game: "minecraft",
      variant: "flying-squid",
      version: "1.16.5",
    });
    const jobs = await query((tx) => tx`select queue from job where key = ${operationId}`);
    expect([...jobs]).toEqual([{ queue: "provisioning" }]);
  });

  test("202: a foreign customer in the body has no effect", async () => {
    const actor = newAccount();
    const { reply } = await create(actor, { customerId: "acc_somebody", extra: 1 });
    expect(await orderOf(reply)).toMatchObject({ accountId: actor.id });
    expect(await operationsOf(actor)).toBe(1);
  });

  test("202: `type` says the same as `ctype`", async () => {
    const input = { type: "game", variant: "flying-squid", version: "1.20.4" };
    expect(await orderOf((await create(newAccount(), input)).reply)).toMatchObject({ version: "1.20.4" });
  });

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

  test("202: the same without a key after half a minute, or after a failure, is another server", async () => {
    const actor = newAccount();
    await create(actor);
    const age = (seconds: number) =>
      query(
        (tx) => tx`update idempotency set created_at = created_at - ${seconds} * interval '1 second'
        where scope like ${`%${actor.id}%`}`,
      );
    await age(25);
    expect((await create(actor)).headers["idempotency-replayed"]).toBe("true");
    await age(5);
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

  test("202: the last known state holds while billing is silent", async () => {
    const actor = newAccount();
    await create(actor);
    billing.silent = true;
    const during = await outcome(create(actor, { name: "another" }));
    billing.silent = false;
    expect(during).toBe("202");
    expect(await operationsOf(actor)).toBe(2);
  });

  test("400 request.invalid: memory out of bounds, a name that is none", async () => {
    for (const input of [
      { memoryMiB: 1 },
      { memoryMiB: 1e9 },
      { memoryMiB: "x" },
      { name: " " },
      { name: "a\0b" },
      { name: "\ud800" },
      { ctype: "vm" },
    ])
      expect(await outcome(create(newAccount(), input))).toBe("request.invalid");
  });

  test.each(["", "with space", "k".repeat(256)])("400 idempotency.key_invalid: %j", async (key) => {
    expect(await outcome(create(newAccount(), {}, key))).toBe("idempotency.key_invalid");
  });

  test("401 auth.required: a service owns no server", () => {
    const asked = provisioning.call("createServer", {}, serviceActor("controller"));
    expect(asked).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });

  test.each(["backup_blocked", "suspended_shutdown", "retained"] as const)(
    "402 billing.gated: the account is %s",
    async (state) => {
      const since = "2030-02-03T04:05:06.000Z";
      const actor = newAccount({ serverBillingState: state, since });
      expect(create(actor)).rejects.toMatchObject({
        status: 402,
        code: "billing.gated",
        details: { state, action: "server.create", since, resolveUrl: "/api/billing" },
      });
      expect(await operationsOf(actor)).toBe(0);
    },
  );

  test("409 provisioning.quota_exceeded: twenty creates at once against a limit of two make two", async () => {
    const actor = newAccount({ limits: { ...freeAccount("").limits, servers: 2 } });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => outcome(create(actor, { name: `world ${i}`, memoryMiB: 256 }))),
    );
    expect(outcomes.filter((each) => each === "202")).toHaveLength(2);
    expect(outcomes.filter((each) => each === "provisioning.quota_exceeded")).toHaveLength(18);
    expect(await operationsOf(actor)).toBe(2);
    expect(create(actor)).rejects.toMatchObject({
      status: 409,
      details: { resource: "servers", limit: 2, used: 2, plan: "free", resolveUrl: "/api/billing" },
    });
  });

  test("409 provisioning.quota_exceeded: memory counts across servers", async () => {
    const actor = newAccount();
    await create(actor, { memoryMiB: 3_000 });
    expect(create(actor, { memoryMiB: 2_000 })).rejects.toMatchObject({
      status: 409,
      code: "provisioning.quota_exceeded",
      details: { resource: "memory", limit: 4_096, used: 3_000, plan: "free" },
    });
    expect(await outcome(create(actor, { memoryMiB: 1_096 }))).toBe("202");
  });

  test("422 idempotency.key_reused: the same key with another body", async () => {
    const actor = newAccount();
    const key = newId("key");
    await create(actor, { name: "one" }, key);
    expect(await outcome(create(actor, { name: "two" }, key))).toBe("idempotency.key_reused");
    expect(await operationsOf(actor)).toBe(1);
  });

  test.each([{ game: "chess" }, { variant: "spigot" }, { version: "1.12.2" }])(
    "422 provisioning.unknown_engine: %j",
    async (input) => {
      expect(await outcome(create(newAccount(), input))).toBe("provisioning.unknown_engine");
    },
  );

  test("422 provisioning.engine_unavailable: it says what is missing", () => {
    expect(create(newAccount(), { variant: "paper" })).rejects.toMatchObject({
      status: 422,
      code: "provisioning.engine_unavailable",
      detail: "Paper needs Java 21 and artifact server, which this installation does not have",
    });
    expect(create(newAccount(), { ctype: "dev", runtime: "node" })).rejects.toMatchObject({
      code: "provisioning.engine_unavailable",
      detail: "This installation has no runtime for dev containers",
    });
  });

  test("503 service.unavailable: billing is silent and the account was never heard of", async () => {
    billing.silent = true;
    const during = await create(newAccount()).catch((error: unknown) => error);
    billing.silent = false;
    expect(during).toMatchObject({ status: 503, code: "service.unavailable", retryable: true });
  });

  test("202: an operator makes servers for himself", async () => {
    const { reply } = await provisioning.call("createServer", {}, account(newId("acc"), "operator"));
    expect(reply).toMatchObject({ ok: true });
  });
});
