import { afterAll, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { wrap } from "#shared/telemetry/log.ts";
import { reconcileServer } from "./reconcile.ts";
import { type StubAgent, stubAgent } from "./testing/agent.ts";
import { serversForTest } from "./testing/servers.ts";

const lines: object[] = [];
const log = wrap((level, fields, message) => void lines.push({ level, ...fields, message }), {});
const servers = await serversForTest({ log });
afterAll(() => servers[Symbol.asyncDispose]());

/** A server whose game runs; `look` is one look of the reconciler, and what the server's row says of an operation then. */
async function opened(agent: StubAgent) {
  const server = await servers.open({ agent: agent.access });
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

test("a suspension does not wait for another service's operation, whose host may hang: the agent is asked without the lock", async () => {
  await using agent = stubAgent();
  const { look, customerId, instanceId } = await opened(agent);
  const operationId = newId("prv");
  const { lock } = await servers.ask("authorize", {
    serverId: instanceId,
    action: "power.restart",
    operationId,
  });
  const words = { type: "host.restart", phase: "stop-container", message: "Stopping the container" };
  await servers.ask("heartbeat", { instanceId, ...lock, ...words });
  const { AGENT_POLL_MS } = servers.deps.config;
  const untouched = { type: words.type, message: words.message };
  expect(await look()).toEqual({ again: undefined, ...untouched });
  expect(agent.calls.get("/stop")).toBeUndefined();
  await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
  const { again, ...row } = await look();
  expect({ again: Number(again?.again), ...row }).toEqual({ again: AGENT_POLL_MS, ...untouched });
  expect(agent.calls.get("/stop")).toBe(1);
  const message = "the game of a suspended account is stopped beside another operation";
  expect(lines).toContainEqual({ level: "info", instanceId, message });
  Object.assign(agent.says, { state: "idle", ready: false });
  expect(await look()).toEqual({ again: undefined, ...untouched });
  expect(agent.calls.get("/stop")).toBe(1);
  expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
    instance: { desired: "running" },
  });
});

test("nor does it wait for a deletion whose host hangs", async () => {
  await using agent = stubAgent();
  const { look, customerId, instanceId } = await opened(agent);
  await servers.ask("archive", { instanceId, operationId: newId("prv"), reason: "deleted", keepRow: true });
  await look();
  expect(agent.calls.get("/stop")).toBeUndefined();
  await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
  await look();
  expect(agent.calls.get("/stop")).toBe(1);
});

test("an agent that is in the middle of something else is asked again", async () => {
  await using agent = stubAgent();
  const { look, customerId, instanceId } = await opened(agent);
  await servers.ask("authorize", {
    serverId: instanceId,
    action: "power.restart",
    operationId: newId("prv"),
  });
  await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
  agent.answer("/stop", () => Response.json({ error: "It is being installed." }, { status: 409 }));
  for (let times = 1; times <= 2; times++) {
    expect((await look()).again).toEqual({ again: servers.deps.config.AGENT_POLL_MS });
    expect(agent.calls.get("/stop") ?? 0).toBe(times);
  }
});

test("it waits for a lock that nobody uses no longer than an operation may take to begin", async () => {
  await using agent = stubAgent();
  const { look, customerId, instanceId } = await opened(agent);
  await servers.ask("authorize", { serverId: instanceId, action: "power.restart" });
  await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
  expect(await look()).toMatchObject({ type: "power.restart" });
  await servers.age(instanceId, servers.deps.config.LOCK_BEGIN_MS);
  expect(await look()).toMatchObject({
    type: "power.stop",
    message: "Stopping the game because the account is suspended",
  });
});
