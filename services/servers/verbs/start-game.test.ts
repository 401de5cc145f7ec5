import { afterAll, describe, expect, test } from "bun:test";
import { nobody, stubAgent } from "../testing/agent.ts";
import { account, operator, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest({ config: { POWER_CALL_MS: 150 } });
afterAll(() => servers[Symbol.asyncDispose]());

const start = (id: string, actor = operator) => servers.ask("startGame", { id }, actor);
const desired = async (instanceId: string) =>
  (await servers.ask("findInstance", { instanceId })).instance?.desired;

/** A server whose game is stopped, as its customer wanted. */
async function stopped(agent: ReturnType<typeof stubAgent>) {
  const server = await servers.open({ agent: agent.access });
  await servers.ask("stopGame", { id: server.id }, server.owner);
  const lock = { instanceId: server.instanceId };
  await servers.query(
    (tx) => tx`update operation_lock set operation_id = null, type = null, phase = null,
    message = null, locked_at = null, heartbeat_at = null where instance_id = ${lock.instanceId}`,
  );
  Object.assign(agent.says, { state: "idle", ready: false, startedAt: null });
  agent.calls.clear();
  return server;
}

describe("startGame", () => {
  test("202: the wish and the operation are written, the agent is asked, the lock is held", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await stopped(agent);
    expect(await desired(instanceId)).toBe("stopped");
    const { operation } = await start(id, owner);
    expect(operation).toMatchObject({
      type: "power.start",
      status: "running",
      phase: "accepted",
      serverId: id,
    });
    expect(await desired(instanceId)).toBe("running");
    expect(agent.calls.get("/start")).toBe(1);
    expect(await servers.ask("getStatus", { id }, owner)).toMatchObject({
      operationInProgress: true,
      operationType: "power.start",
      operation: { id: operation.id, type: "power.start", phase: "accepted" },
    });
    expect((await servers.events(instanceId)).at(-1)?.payload).toMatchObject({ desired: "running" });
  });

  test("202: a game that runs already: the operation has succeeded, the lock is free", async () => {
    await using agent = stubAgent();
    const { id, owner } = await servers.open({ agent: agent.access });
    const { operation } = await start(id, owner);
    expect(operation).toMatchObject({ status: "succeeded", error: null });
    expect(operation.finishedAt).toBeString();
    expect((await start(id, owner)).operation.id).not.toBe(operation.id);
  });

  test("409 servers.host_stopped: its host is stopped; the agent is not asked, nothing is written, no lock is held", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await stopped(agent);
    await servers.stopHost(instanceId);
    for (const route of ["startGame", "restartGame"] as const)
      expect(servers.ask(route, { id }, owner)).rejects.toMatchObject({
        status: 409,
        code: "servers.host_stopped",
        retryable: false,
      });
    expect(await desired(instanceId)).toBe("stopped");
    expect(agent.calls.get("/start")).toBeUndefined();
    expect((await servers.ask("getServer", { id }, owner)).operationInProgress).toBe(false);
  });

  test("202: not being ready does not stand in the way of a start", async () => {
    await using agent = stubAgent();
    const { id, owner } = await stopped(agent);
    expect(await servers.ask("getStatus", { id }, owner)).toMatchObject({ agentReady: false });
    expect((await start(id, owner)).operation.status).toBe("running");
  });

  test.each([
    [409, { error: "The game is being installed.", code: "operation.busy" }],
    [503, { error: "The server is not configured yet.", code: "config.missing" }],
  ])("%d of the agent comes through in its own words, and the wish is taken back", async (status, body) => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await stopped(agent);
    agent.answer("/start", () => Response.json(body, { status }));
    expect(start(id, owner)).rejects.toMatchObject({
      status,
      detail: body.error,
      details: { upstream: { service: "agent", status, body: JSON.stringify(body) } },
    });
    await expectTakenBack(id, instanceId, body.error);
    agent.answer("/start", undefined);
    expect((await start(id, owner)).operation.status).toBe("running");
  });

  test("502 upstream.failed: an agent that fails", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await stopped(agent);
    agent.answer("/start", () => new Response("panic", { status: 500 }));
    expect(start(id, owner)).rejects.toMatchObject({ status: 502, code: "upstream.failed" });
    await expectTakenBack(id, instanceId, "The server's agent failed");
  });

  test("502 upstream.refused: nobody listens", async () => {
    const { id, owner } = await servers.open({ agent: nobody });
    expect(start(id, owner)).rejects.toMatchObject({ status: 502, code: "upstream.refused" });
  });

  test("504 upstream.timeout: silence, and the wish is taken back all the same", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await stopped(agent);
    agent.answer("/start", () => new Promise(() => {}));
    expect(start(id, owner)).rejects.toMatchObject({ status: 504, code: "upstream.timeout" });
    await expectTakenBack(id, instanceId, "The server's agent did not answer in time");
  });

  test("409 servers.busy: while another operation runs, and 202 for one of twenty at once", async () => {
    await using agent = stubAgent();
    const { id, owner } = await stopped(agent);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => start(id, owner)));
    const accepted = answers.filter((answer) => answer.status === "fulfilled");
    expect(accepted).toHaveLength(1);
    expect(agent.calls.get("/start")).toBe(1);
    expect(start(id, owner)).rejects.toMatchObject({
      code: "servers.busy",
      details: { operation: { id: accepted[0]?.value.operation.id, type: "power.start" } },
    });
  });

  test("409 servers.not_a_game: a dev server runs as long as its host; its lock is free afterwards", async () => {
    const { id, owner } = await servers.open({ ctype: "dev" });
    for (const route of ["startGame", "startGame", "stopGame", "restartGame"] as const)
      expect(servers.ask(route, { id }, owner)).rejects.toMatchObject({
        status: 409,
        code: "servers.not_a_game",
      });
  });

  test("402 billing.gated: a suspended account, and its operator as well", async () => {
    await using agent = stubAgent();
    const { id, owner, customerId } = await stopped(agent);
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    for (const actor of [owner, operator])
      expect(start(id, actor)).rejects.toMatchObject({ status: 402, code: "billing.gated" });
    expect(agent.calls.get("/start")).toBeUndefined();
  });

  test("404 servers.not_found: another's server", async () => {
    const { id } = await servers.open();
    expect(start(id, account("acc_stranger"))).rejects.toMatchObject({
      status: 404,
      code: "servers.not_found",
    });
  });
});

/** The customer's former wish holds, the lock is free, and the operation says in the agent's words why it failed. */
async function expectTakenBack(id: string, instanceId: string, message: string) {
  expect(await desired(instanceId)).toBe("stopped");
  expect(await servers.ask("getServer", { id })).toMatchObject({ operationInProgress: false });
  const rows = await servers.query(
    (tx) => tx<{ id: string }[]>`
      select id from operation where instance_id = ${instanceId} order by created_at desc limit 1`,
  );
  expect(await servers.ask("getOperation", { operationId: rows[0]?.id })).toMatchObject({
    status: "failed",
    error: { message },
  });
}
