import { afterAll, describe, expect, test } from "bun:test";
import { AgentState } from "#shared/agent/contract.ts";
import { actionFor, reconcileServer } from "./reconcile.ts";
import { type StubAgent, stubAgent } from "./testing/agent.ts";
import { serversForTest, until } from "./testing/servers.ts";

const idle = (agent: StubAgent) => Object.assign(agent.says, { state: "idle", ready: false });

describe("what is asked for, by what should run and what does", () => {
  test.each(AgentState.options)("%s", (state) => {
    expect(actionFor("running", state)).toBe(state === "idle" ? "start" : undefined);
    expect(actionFor("stopped", state)).toBe(state === "running" ? "stop" : undefined);
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

describe("a running service", () => {
  const quick = {
    AGENT_POLL_MS: 20,
    POWER_POLL_MS: 10,
    RECONCILE_SWEEP_MS: 50,
    RECONCILE_RETRY_MS: 50,
    STATUS_FRESH_MS: 10,
  };

  test("a second start of the stack finds the servers again and starts those that should run", async () => {
    await using before = await serversForTest({ config: quick });
    await using agent = stubAgent();
    await using other = stubAgent();
    const game = await before.open({ agent: agent.access });
    const stopped = await before.open({ agent: other.access });
    await before.ask("stopGame", { id: stopped.id }, stopped.owner);
    // The host was restarted: its agents are there again, and no game runs.
    for (const each of [agent, other])
      Object.assign(each.says, { state: "idle", ready: false, startedAt: null });
    await using servers = await serversForTest({ beside: before, running: true, config: quick });
    const status = (id: string) => servers.ask("getStatus", { id });
    await until(
      () => status(game.id),
      (now) => now.status === "running",
    );
    await until(
      () => status(stopped.id),
      (now) => now.status === "stopped",
    );
    expect(agent.calls.get("/start")).toBe(1);
    expect(other.calls.get("/start")).toBeUndefined();
  });

  test("suspension stops what runs; lifting it starts that again, and not what its customer had stopped", async () => {
    await using servers = await serversForTest({ running: true, config: quick });
    await using agent = stubAgent();
    await using other = stubAgent();
    const customerId = "acc_1";
    const game = await servers.open({ agent: agent.access, customerId });
    const stopped = await servers.open({ agent: other.access, customerId });
    const status = (id: string) => servers.ask("getStatus", { id });
    await servers.ask("stopGame", { id: stopped.id });
    await until(
      () => status(stopped.id),
      (now) => now.operation === null && now.status === "stopped",
    );

    await servers.bills(customerId, { version: 2, serverBillingState: "suspended_shutdown" });
    await until(
      () => agent.says.state,
      (state) => state === "idle",
    );
    await until(
      () => status(game.id),
      (now) => now.status === "suspended" && now.operation === null,
    );
    await servers.bills(customerId, { version: 3, serverBillingState: "allowed" });
    await until(
      () => status(game.id),
      (now) => now.status === "running" && now.operation === null,
    );
    expect(other.says.state).toBe("idle");
    expect(other.calls.get("/start")).toBeUndefined();
  });
});
