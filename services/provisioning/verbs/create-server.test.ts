import { afterAll, describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { newId } from "#shared/ids/ids.ts";
import { account, freeAccount } from "../testing/provisioning.ts";
import { ordersForTest } from "../testing/orders.ts";

const made = await ordersForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { newAccount, query, billing, create, outcome, operationsOf, orderOf } = made;

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
      engine: { ctype: "game", game: "minecraft", variant: "flying-squid", version: "1.16.5" },
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
    expect(await orderOf((await create(newAccount(), input)).reply)).toMatchObject({
      engine: { ctype: "game", version: "1.20.4" },
    });
    const both = { ctype: "dev", type: "dev", runtime: "node" };
    expect(await orderOf((await create(newAccount(), both)).reply)).toMatchObject({
      engine: { ctype: "dev", runtime: "node", version: "24.3.0" },
    });
  });

  test("202: a dev container, with the first runtime of its host when none is named; what belongs to a game has no effect", async () => {
    const input = { ctype: "dev", game: "chess", variant: "paper", addons: [] };
    const { reply } = await create(newAccount(), input);
    expect(reply.operation).toMatchObject({ type: "create-dev", status: "queued" });
    expect(reply.operation.steps).toHaveLength(11);
    expect(await orderOf(reply)).toMatchObject({
      name: "bun workspace",
      engine: { ctype: "dev", runtime: "bun", version: "1.4.5" },
    });
  });

  test("202: what belongs to a dev container has no effect on a game", async () => {
    const { reply } = await create(newAccount(), { ctype: "game", runtime: "cobol" });
    expect(reply.operation).toMatchObject({ type: "create-game" });
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

  test.each([
    [{ name: "untyped", ctype: undefined }, "ctype", "must be game or dev"],
    [{ ctype: "game", type: "dev" }, "type", "contradicts ctype, which is game"],
  ])("400 request.invalid: %p is told which field it is", (input, path, message) => {
    expect(create(newAccount(), input)).rejects.toMatchObject({
      code: "request.invalid",
      detail: `${path}: ${message}`,
      details: { issues: [{ path, message }] },
    });
  });

  test("401 auth.required: a service owns no server", () => {
    const asked = made.call("createServer", { ctype: "game" }, serviceActor("controller"));
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

  test.each([
    { game: "chess" },
    { variant: "spigot" },
    { version: "1.12.2" },
    { ctype: "dev", runtime: "cobol" },
    { ctype: "dev", runtime: "node", version: "0.1" },
  ])("422 provisioning.unknown_engine: %j", async (input) => {
    expect(await outcome(create(newAccount(), input))).toBe("provisioning.unknown_engine");
  });

  test("422 provisioning.engine_unavailable: it says what is missing", () => {
    expect(create(newAccount(), { variant: "paper" })).rejects.toMatchObject({
      status: 422,
      code: "provisioning.engine_unavailable",
      detail: "Paper needs Java 21 and artifact server, which this installation does not have",
    });
  });

  test("422 provisioning.addons_unavailable: an add-on that would not be there is not promised", () => {
    expect(create(newAccount(), { addons: ["dynmap"] })).rejects.toMatchObject({
      status: 422,
      code: "provisioning.addons_unavailable",
      detail: 'There is no add-on "dynmap"',
    });
  });

  test("503 service.unavailable: billing is silent and the account was never heard of", async () => {
    billing.silent = true;
    const during = await create(newAccount()).catch((error: unknown) => error);
    billing.silent = false;
    expect(during).toMatchObject({ status: 503, code: "service.unavailable", retryable: true });
  });

  test("202: an operator makes servers for himself", async () => {
    const { reply } = await made.call("createServer", { ctype: "game" }, account(newId("acc"), "operator"));
    expect(reply).toMatchObject({ ok: true });
  });
});
