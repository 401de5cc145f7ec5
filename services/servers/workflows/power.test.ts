import { afterAll, describe, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { lockLife } from "../moment.ts";
import { openPower, type PowerAction } from "../power.ts";
import { claimLock } from "../store.ts";
import { stubAgent, type StubAgent } from "../testing/agent.ts";
import { serversForTest, until } from "../testing/servers.ts";

const quick = {
  AGENT_POLL_MS: 60_000,
  POWER_POLL_MS: 10,
  POWER_IDLE_MS: 100,
  RECONCILE_SWEEP_MS: 60_000,
  LOCK_EXPIRY_MS: 2_000,
};
// The first is a process that never works on its queue: what it accepts, the second one finds, as after a kill.
const dead = await serversForTest({ config: quick });
const servers = await serversForTest({ beside: dead, running: true, config: quick });
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  await dead[Symbol.asyncDispose]();
});

type Opened = Awaited<ReturnType<typeof servers.open>>;
const read = (operationId: string) => servers.ask("getOperation", { operationId });
const settled = (operationId: string) =>
  until(
    () => read(operationId),
    (now) => now.status !== "running",
  );
const isFree = async ({ id }: Opened) => !(await servers.ask("getServer", { id })).operationInProgress;
const holder = async ({ id }: Opened) => (await servers.ask("getStatus", { id })).operation?.id;
const asks = async (from: typeof servers, route: "stopGame" | "restartGame", { id, owner }: Opened) =>
  (await from.ask(route, { id }, owner)).operation.id;

/** The rows of an operation whose process was killed before it had asked the agent. */
async function unasked(
  { instanceId, customerId, vmid }: Opened,
  action: PowerAction,
  { ageMs = 0, startedBefore = null }: { ageMs?: number; startedBefore?: string | null } = {},
) {
  const operationId = newId("srv");
  await dead.query(async (tx) => {
    const claim = { instanceId, operationId, type: `power.${action}`, life: lockLife(dead.deps) };
    const fence = await claimLock(tx, claim);
    if (fence === undefined) throw new Error("the lock is held");
    const job = { instanceId, operationId, fence, action, startedBefore };
    await openPower(tx, { job, customerId, vmid, runAt: Date.now() });
    await tx`
      update operation set created_at = created_at - ${ageMs} * interval '1 millisecond' where id = ${operationId}`;
  });
  return operationId;
}

function idle(agent: StubAgent): StubAgent {
  return Object.assign(agent, { says: { state: "idle", ready: false, startedAt: null, status: {} } });
}

describe("an operation that the agent has accepted", () => {
  test("goes on until the game is ready, keeps its lock beyond the expiry, and gives it back", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "starting";
    const operationId = await asks(servers, "restartGame", server);
    const since = Date.now();
    await until(
      () => Date.now() - since,
      (ms) => ms > quick.LOCK_EXPIRY_MS + 100,
    );
    expect(servers.ask("stopGame", { id: server.id })).rejects.toMatchObject({ code: "servers.busy" });
    agent.says.state = "running";
    const rounds = agent.calls.get("/ready") ?? 0;
    await until(
      () => agent.calls.get("/ready") ?? 0,
      (now) => now > rounds + 2,
    );
    expect((await read(operationId)).status).toBe("running");
    agent.says.ready = true;
    expect(await settled(operationId)).toMatchObject({ status: "succeeded", phase: "done", error: null });
    expect(await isFree(server)).toBe(true);
  });

  test("a stop that comes after its host has stopped is done: the game went with its container", async () => {
    const agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    await agent[Symbol.asyncDispose]();
    await servers.stopHost(server.instanceId);
    expect(await settled(await unasked(server, "stop"))).toMatchObject({ status: "succeeded", error: null });
    expect(await isFree(server)).toBe(true);
  });

  test("fails with the agent's words when the agent gives up", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "error";
    agent.says.status = { error: { code: "crash.limit", message: "It crashed three times." } };
    const operation = await settled(await asks(servers, "restartGame", server));
    expect(operation).toMatchObject({
      status: "failed",
      message: "It crashed three times.",
      error: { code: "servers.game_failed", message: "It crashed three times.", retryable: false },
    });
    expect(await isFree(server)).toBe(true);
  });

  test("fails at once when the game that was seen starting is idle again", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "starting";
    const operationId = await asks(servers, "restartGame", server);
    await until(
      () => read(operationId),
      (now) => now.phase === "starting",
    );
    // Its agent died and was started again: it knows of no start.
    idle(agent);
    expect(await settled(operationId)).toMatchObject({
      status: "failed",
      error: { code: "servers.game_stopped", retryable: true },
    });
    expect(await holder(server)).not.toBe(operationId);
  });

  test("fails when the agent that agreed never starts the game", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "idle";
    const operationId = await asks(servers, "restartGame", server);
    expect(await settled(operationId)).toMatchObject({
      status: "failed",
      message: "The agent agreed to start the game, and the game did not start",
      error: { code: "servers.game_stopped" },
    });
    expect(await holder(server)).not.toBe(operationId);
  });

  test("fails when another operation has taken the lock", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "starting";
    const operationId = await asks(servers, "restartGame", server);
    await servers.query(
      (tx) =>
        tx`update operation_lock set fence = fence + 1, operation_id = 'bkp_1' where instance_id = ${server.instanceId}`,
    );
    expect(await settled(operationId)).toMatchObject({
      status: "failed",
      error: { code: "servers.lock_lost" },
    });
    expect(await isFree(server)).toBe(false);
  });

  test("fails when its server is deleted, and can still be read", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "starting";
    const operationId = await asks(servers, "restartGame", server);
    await servers.ask("archive", { ...server, reason: "deleted" });
    expect(await settled(operationId)).toMatchObject({
      status: "failed",
      error: { code: "servers.deleted" },
    });
  });

  test("ends at once when the account is suspended meanwhile", async () => {
    await using agent = stubAgent();
    const server = await servers.open({ agent: agent.access });
    agent.startsInto = "starting";
    const operationId = await asks(servers, "restartGame", server);
    await servers.bills(server.customerId, { serverBillingState: "suspended_shutdown" });
    expect(await settled(operationId)).toMatchObject({ status: "failed", error: { code: "billing.gated" } });
  });
});

describe("an operation whose process was killed", () => {
  test("after the agent had accepted: another process brings it to its end", async () => {
    await using agent = stubAgent();
    const server = await dead.open({ agent: agent.access });
    const operationId = await asks(dead, "stopGame", server);
    expect(await settled(operationId)).toMatchObject({ status: "succeeded" });
    expect(agent.calls.get("/stop")).toBe(1);
    expect(await isFree(server)).toBe(true);
  });

  test.each<[PowerAction, string]>([
    ["start", "/start"],
    ["stop", "/stop"],
    ["restart", "/restart"],
  ])("before the agent was asked to %s: it is asked now", async (action, path) => {
    await using agent = stubAgent();
    if (action === "start") idle(agent);
    const server = await dead.open({ agent: agent.access });
    expect(await settled(await unasked(server, action))).toMatchObject({ status: "succeeded" });
    expect(agent.calls.get(path)).toBe(1);
  });

  test("after the agent was asked to restart, which nobody wrote down: it is not asked twice", async () => {
    await using agent = stubAgent();
    const server = await dead.open({ agent: agent.access });
    const startedBefore = agent.says.startedAt;
    const headers = { authorization: `Bearer ${agent.access.token}` };
    await fetch(`${agent.access.address}/restart`, { method: "POST", headers });
    expect(await settled(await unasked(server, "restart", { startedBefore }))).toMatchObject({
      status: "succeeded",
    });
    expect(agent.calls.get("/restart")).toBe(1);
  });

  test("before the agent was asked to restart a game that was seen before: it is asked now", async () => {
    await using agent = stubAgent();
    const server = await dead.open({ agent: agent.access });
    const { startedAt: startedBefore } = agent.says;
    expect(await settled(await unasked(server, "restart", { startedBefore }))).toMatchObject({
      status: "succeeded",
    });
    expect(agent.calls.get("/restart")).toBe(1);
  });

  test("before the agent was asked, and the agent is busy: asked again until it has time", async () => {
    await using agent = stubAgent();
    idle(agent);
    const server = await dead.open({ agent: agent.access });
    agent.answer("/start", () => Response.json({ error: "Busy.", code: "operation.busy" }, { status: 409 }));
    const operationId = await unasked(server, "start");
    await until(
      () => agent.calls.get("/start") ?? 0,
      (times) => times > 2,
    );
    agent.answer("/start", undefined);
    expect(await settled(operationId)).toMatchObject({ status: "succeeded" });
  });

  test("before the agent was asked, and the agent says no: its words are the end", async () => {
    await using agent = stubAgent();
    const server = await dead.open({ agent: agent.access });
    agent.answer("/stop", () => Response.json({ error: "Never.", code: "no" }, { status: 422 }));
    expect(await settled(await unasked(server, "stop"))).toMatchObject({
      status: "failed",
      error: { code: "upstream.rejected", message: "Never.", retryable: false },
    });
  });

  test("and whose time is up: it fails, asked or not, and says so", async () => {
    const server = await dead.open();
    expect(await settled(await unasked(server, "start", { ageMs: 200_000 }))).toMatchObject({
      status: "failed",
      error: { code: "upstream.refused", retryable: true },
    });
    await using agent = stubAgent();
    agent.startsInto = "starting";
    const other = await dead.open({ agent: agent.access });
    expect(await settled(await unasked(other, "restart", { ageMs: 200_000 }))).toMatchObject({
      status: "failed",
      error: {
        code: "servers.power_deadline",
        message: expect.stringContaining("the agent reported starting"),
      },
    });
  });

  test("and whose account was suspended between plan and deed: the agent is not asked to start", async () => {
    await using agent = stubAgent();
    idle(agent);
    const server = await dead.open({ agent: agent.access });
    await servers.bills(server.customerId, { serverBillingState: "suspended_shutdown" });
    expect(await settled(await unasked(server, "start"))).toMatchObject({
      status: "failed",
      error: { code: "billing.gated" },
    });
    expect(agent.calls.get("/start")).toBeUndefined();
  });
});
