import { afterAll, describe, expect, test } from "bun:test";
import { AgentState } from "#shared/agent/contract.ts";
import { actionFor, reconcileServer } from "./reconcile.ts";
import { newId } from "#shared/ids/ids.ts";
import { type StubAgent, stubAgent } from "./testing/agent.ts";
import { serversForTest } from "./testing/servers.ts";

const idle = (agent: StubAgent) => Object.assign(agent.says, { state: "idle", ready: false });

describe("what is asked for, by what should run and what does", () => {
  test.each(AgentState.options)("%s", (state) => {
    const up = ["running", "starting", "crashed"].includes(state);
    const operation = (type: string) => ({ type, started_at: "2030-01-01T00:00:00.000Z" });
    expect(actionFor("running", { state, operation: null })).toBe(state === "idle" ? "start" : undefined);
    expect(actionFor("running", { state, operation: operation("restart") })).toBeUndefined();
    expect(actionFor("stopped", { state, operation: null })).toBe(up ? "stop" : undefined);
    expect(actionFor("stopped", { state, operation: operation("start") })).toBe(up ? "stop" : undefined);
    expect(actionFor("stopped", { state, operation: operation("stop") })).toBeUndefined();
  });
});

describe("one look at one server", () => {
  const shared = serversForTest({ config: { RECONCILE_RETRY_MS: 60_000 } });
  afterAll(async () => (await shared)[Symbol.asyncDispose]());

  async function opened(agent: StubAgent, change: object = {}) {
    const servers = await shared;
    const server = await servers.open({ agent: agent.access, ...change });
    const { instanceId } = server;
    return {
      ...server,
      look: async () => {
        await servers.deps.live.refresh({ instanceId, agent: agent.access });
        const again = await reconcileServer(servers.deps)(instanceId);
        const row = await servers.ask("getServer", { id: server.id });
        return { again, type: row.operationType, message: row.operationMessage };
      },
    };
  }
  const nothing = { again: undefined, type: null, message: null };

  test("should run and is idle: a start, under the lock, and no second one", async () => {
    await using agent = stubAgent();
    idle(agent);
    const { look } = await opened(agent);
    const begun = {
      again: undefined,
      type: "power.start",
      message: "Starting the game again, as it should be running",
    };
    expect(await look()).toEqual(begun);
    expect(await look()).toEqual(begun);
  });

  test("suspended and runs: a stop, and desired is not written", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    const { look, customerId, instanceId } = await opened(agent);
    expect(await look()).toEqual(nothing);
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    expect(await look()).toMatchObject({
      type: "power.stop",
      message: "Stopping the game because the account is suspended",
    });
    expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
      instance: { desired: "running" },
    });
  });

  test("suspended and idle: nothing, never a start", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const { look, customerId } = await opened(agent);
    await servers.bills(customerId, { serverBillingState: "retained" });
    expect(await look()).toEqual(nothing);
  });

  test.each(["starting", "crashed"] as const)(
    "suspended and %s, which is about to run: a stop, though the agent is still at it",
    async (state) => {
      const servers = await shared;
      await using agent = stubAgent();
      const status = { operation: { type: "start", started_at: "2030-01-01T00:00:00Z" } };
      Object.assign(agent.says, { state, ready: false, status });
      const { look, customerId } = await opened(agent);
      expect(await look()).toEqual(nothing);
      await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
      expect(await look()).toMatchObject({ type: "power.stop" });
    },
  );

  test("suspended and being installed: left alone until that has ended, for what is installed cannot be stopped", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    Object.assign(agent.says, { state: "installing", ready: false });
    const { look, customerId } = await opened(agent);
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    expect(await look()).toEqual(nothing);
    Object.assign(agent.says, { state: "starting" });
    expect(await look()).toMatchObject({ type: "power.stop" });
  });

  test("its host was stopped, or its teardown has begun: nothing is started", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const halted = await opened(agent);
    await servers.stopHost(halted.instanceId);
    expect(await halted.look()).toEqual(nothing);
    // The game that was seen a moment ago went with its container.
    Object.assign(agent.says, { state: "running", ready: true });
    expect(await halted.look()).toEqual(nothing);
    const doomed = await opened(agent);
    await servers.ask("archive", { ...doomed, reason: "deleted", keepRow: true });
    expect(await doomed.look()).toEqual(nothing);
  });

  test("a start that fails again and again is tried ever more seldom, and a success ends that", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const { look, instanceId, customerId } = await opened(agent);
    const past = (status: string, minutesAgo: number) =>
      servers.query(
        (tx) => tx`
          insert into operation (id, type, customer_id, instance_id, status, phase, message, created_at, finished_at)
          values (${newId("srv")}, 'power.start', ${customerId}, ${instanceId}, ${status}, 'failed', '',
            now() - ${minutesAgo} * interval '1 minute', now() - ${minutesAgo} * interval '1 minute')`,
      );
    await past("failed", 60);
    await past("succeeded", 50);
    for (const minutesAgo of [4, 3, 2]) await past("failed", minutesAgo);
    // Three in a row: four minutes after the last one, of which two are over.
    expect((await look()).again?.again).toBeWithin(100_000, 120_001);
    for (let i = 0; i < 10; i++) await past("failed", 1);
    // Never more seldom than every half hour.
    expect((await look()).again?.again).toBeWithin(28 * 60_000, 29 * 60_000 + 1);
    await past("succeeded", 0);
    expect((await look()).type).toBe("power.start");
  });

  test("a start that a suspension ended is no failure of the game: it is started as soon as that is lifted", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const { look, instanceId, customerId } = await opened(agent);
    await servers.query(
      (tx) => tx`
        insert into operation (id, type, customer_id, instance_id, status, phase, message, error, finished_at)
        values (${newId("srv")}, 'power.start', ${customerId}, ${instanceId}, 'failed', 'failed', '',
          ${tx.json({ code: "billing.gated", message: "", retryable: false })}, now())`,
    );
    expect((await look()).type).toBe("power.start");
  });

  test("crashed, in error or in transition: the agent's own back-off is not fought", async () => {
    await using agent = stubAgent();
    const { look } = await opened(agent);
    for (const state of ["crashed", "error", "installing", "starting", "stopping"] as const) {
      Object.assign(agent.says, { state, ready: false });
      expect(await look()).toEqual(nothing);
    }
    Object.assign(agent.says, {
      state: "idle",
      status: { operation: { type: "restart", started_at: "2030-01-01T00:00:00Z" } },
    });
    expect(await look()).toEqual(nothing);
  });

  test("while an operation holds the lock: nothing, and afterwards it acts", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const { look, id, instanceId } = await opened(agent);
    const ask = { serverId: id, action: "backups.restore" };
    const { lock } = await servers.ask("authorize", ask);
    expect(await look()).toMatchObject({ type: "backups.restore" });
    await servers.ask("unlock", { instanceId, ...lock });
    expect(await look()).toMatchObject({ type: "power.start" });
  });

  test("after a power operation failed: left alone for a while", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    const { look, id, owner } = await opened(agent);
    agent.answer("/start", () => Response.json({ error: "No.", code: "no" }, { status: 503 }));
    await servers.ask("startGame", { id }, owner).catch(() => undefined);
    const { again, type } = await look();
    expect(type).toBeNull();
    expect(again?.again).toBeWithin(50_000, 60_001);
  });

  test("a start that failed does not put off the stop of a suspended account", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    const { look, id, owner, customerId } = await opened(agent);
    agent.answer("/start", () => Response.json({ error: "No.", code: "no" }, { status: 503 }));
    await servers.ask("startGame", { id }, owner).catch(() => undefined);
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    expect(await look()).toMatchObject({ again: undefined, type: "power.stop" });
  });

  test("a dev server has no game; an agent that is away is not known to be idle; a server that is gone is none", async () => {
    const servers = await shared;
    await using agent = stubAgent();
    idle(agent);
    expect(await (await opened(agent, { ctype: "dev" })).look()).toEqual(nothing);
    const { look, instanceId, operationId } = await opened(agent);
    agent.answer("/status", () => new Response("no", { status: 500 }));
    expect(await look()).toEqual(nothing);
    agent.answer("/status", undefined);
    await servers.deps.live.refresh({ instanceId, agent: agent.access });
    await servers.ask("archive", { operationId, instanceId, reason: "deleted" });
    expect(await reconcileServer(servers.deps)(instanceId)).toBeUndefined();
  });
});
