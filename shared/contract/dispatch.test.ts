import { describe, expect, test } from "bun:test";
import type { Fault } from "#shared/fault/fault.ts";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";
import { account, callMeta } from "#shared/testing/call.ts";
import { sample, sampleAuthority, sampleService } from "#shared/testing/sample.ts";
import { anonymous } from "./actor.ts";
import type { Policy } from "./define.ts";
import { type CallMeta, checkActor, dispatch, type Hooks } from "./dispatch.ts";

const service = sampleService({});
const run = (route: string, input: unknown, meta: Partial<CallMeta> = {}, hooks: Partial<Hooks> = {}) =>
  dispatch(service, route, input, callMeta(anonymous, meta), {
    log: silentLogger,
    authority: sampleAuthority(),
    newOperationId: () => "smp_1",
    ...hooks,
  });
const fault = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (e: Fault) => e,
  );

describe("dispatch", () => {
  test("validates the request, answers the reply and its headers", async () => {
    expect(await run("echo", { id: "a", word: "hi", times: "2" })).toEqual({
      reply: { said: "a:hihi" },
      headers: { "idempotency-replayed": "true" },
    });
  });

  test("400 names every field that is wrong", async () => {
    const error = await fault(run("echo", { word: "x" }));
    expect(error).toMatchObject({
      code: "request.invalid",
      status: 400,
      details: { issues: [{ path: "id" }, { path: "word" }] },
    });
  });

  test("a declared error carries its declared details", async () => {
    expect(await fault(run("echo", { id: "a", word: "damn" }))).toMatchObject({
      code: "sample.rude",
      status: 409,
      retryable: false,
      details: { word: "damn" },
    });
    expect(await fault(run("echo", { id: "a", word: "zzz" }))).toMatchObject({
      retryable: true,
      retryAfter: 7,
    });
  });

  test("an unexpected error is 500, says nothing of its cause, and is logged", async () => {
    const lines: object[] = [];
    const log = wrap((level, fields) => lines.push({ level, ...fields }), {});
    const error = await fault(run("echo", { id: "a", word: "crash" }, {}, { log }));
    expect(JSON.stringify(error.problem("r"))).not.toContain("hunter2");
    expect(error).toMatchObject({ code: "internal.error", status: 500 });
    expect(lines).toMatchObject([{ level: "error", route: "sample.echo" }]);
  });

  test("a reply that breaks its contract is 500, not a surprise for the client", async () => {
    expect(await fault(run("echo", { id: "a", word: "lie" }))).toMatchObject({ code: "internal.error" });
  });

  test("a session route refuses anonymous callers and admits accounts and services", async () => {
    expect(await fault(run("secret", {}))).toMatchObject({ code: "auth.required", status: 401 });
    expect((await run("secret", {}, { actor: account("acc_1") })).reply).toEqual({ actor: "acc_1" });
    expect((await run("secret", {}, { actor: { kind: "service", name: "x" } })).reply).toEqual({
      actor: "service",
    });
  });

  test("an API key reaches what its scopes name, and only routes that have one", async () => {
    const policy: Policy = { ...sample.routes.secret.policy, scope: "servers:read" };
    const key = (...scopes: string[]) => ({ ...account("acc_1"), scopes });
    expect(() => checkActor(policy, key("account:read", "servers:read"))).not.toThrow();
    expect(() => checkActor(policy, account("acc_1"))).not.toThrow();
    expect(await fault((async () => checkActor(policy, key("account:read")))())).toMatchObject({
      code: "auth.scope_missing",
      status: 403,
      details: { scope: "servers:read" },
    });
    expect(await fault(run("secret", {}, { actor: key("servers:read") }))).toMatchObject({
      code: "auth.session_needed",
      status: 403,
    });
  });

  test("504 when the call is over before the verb is, however long that goes on", async () => {
    const over = new AbortController();
    const slow = sampleService({ slow: new Promise<void>(() => {}) });
    const meta = callMeta(anonymous, { signal: over.signal });
    const call = dispatch(slow, "echo", { id: "a", word: "wait" }, meta, { log: silentLogger });
    over.abort();
    expect(await fault(call)).toMatchObject({ code: "service.timeout", status: 504, retryable: true });
    expect(await fault(run("echo", { id: "a", word: "hi" }, { signal: AbortSignal.abort() }))).toMatchObject({
      code: "service.timeout",
    });
  });

  test("policy.server asks for authority, and an exclusive action holds the lock when the verb succeeds", async () => {
    const authority = sampleAuthority();
    const answer = await run("lock", { id: "1" }, { actor: account("acc_1") }, { authority });
    expect(answer.reply).toEqual({ fence: 1 });
    expect([...authority.held]).toEqual(["smp_1"]);
    expect(authority.asked).toEqual(["power.start"]);
  });

  test("an exclusive action is refused, and not done without a lock, where nothing names its operation", async () => {
    const authority = sampleAuthority();
    const meta = callMeta(account("acc_1"));
    const call = dispatch(service, "lock", { id: "1" }, meta, { log: silentLogger, authority });
    expect(await fault(call)).toMatchObject({ code: "internal.error" });
    expect(authority.asked).toEqual([]);
  });

  test("somebody else's server ends with the authority's own error", async () => {
    expect(await fault(run("lock", { id: "1" }, { actor: account("acc_2") }))).toMatchObject({
      code: "sample.gone",
    });
  });

  test.each(["declared", "undeclared", "crash"])(
    "a verb that fails (%s) gives its lock back",
    async (how) => {
      const authority = sampleAuthority();
      const error = await fault(
        run("lock", { id: "1", fail: how }, { actor: account("acc_1") }, { authority }),
      );
      expect(error.code).toBe(how === "declared" ? "sample.refused" : "internal.error");
      expect(authority.held.size).toBe(0);
    },
  );

  test("the agent's access is asked for only where the route declares it", async () => {
    const authority = sampleAuthority();
    await run("file", { id: "1" }, { actor: account("acc_1") }, { authority });
    expect(authority.asked).toEqual(["files.read+agent"]);
  });
});
