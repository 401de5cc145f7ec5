import { afterAll, describe, expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { type StubAgent, stubAgent } from "../testing/agent.ts";
import { account, operator, serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock, config: { AGENT_CALL_MS: 100 } });
afterAll(() => servers[Symbol.asyncDispose]());

async function opened(agent: StubAgent) {
  const server = await servers.open({ agent: agent.access });
  const { id, owner } = server;
  return {
    ...server,
    status: () => servers.ask("getStatus", { id }, owner),
    row: () => servers.ask("getServer", { id }, owner),
    listed: async () => (await servers.ask("listServers", {}, owner)).servers[0],
  };
}

const html = () => new Response("<h1>OK</h1>", { headers: { "content-type": "text/html" } });

describe("getStatus", () => {
  test("200: everything about a running server", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    expect(await server.status()).toEqual({
      id: server.id,
      vmid: server.vmid,
      instanceId: server.instanceId,
      name: "my world",
      hostname: `srv-${server.vmid}`,
      type: "minecraft",
      address: null,
      desired: "running",
      status: "running",
      host: {
        status: "online",
        desired: "running",
        node: "local",
        observedAt: new Date(clock.now()).toISOString(),
      },
      agent: {
        status: "online",
        state: "running",
        version: "1.2.3",
        observedAt: new Date(clock.now()).toISOString(),
      },
      agentReady: true,
      readiness: {
        source: "agent:/ready",
        ready: true,
        reason: "ok",
        observedAt: new Date(clock.now()).toISOString(),
        ageMs: 0,
        stale: false,
      },
      connectable: false,
      players: { online: 2, max: 20 },
      operation: null,
      operationInProgress: false,
      operationType: null,
      operationStartedAt: null,
      operationMessage: null,
      billing: { status: "active", serverState: "allowed" },
      proxy: null,
      crash: null,
      maintenance: false,
    });
  });

  test("200: a hundred at once make one round of questions to the agent, and a young answer makes none", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    await Promise.all(Array.from({ length: 100 }, () => server.status()));
    const round = { "/health": 1, "/ready": 1, "/status": 1, "/version": 1 };
    expect(Object.fromEntries(agent.calls)).toEqual(round);
    await clock.advance(5_000);
    await server.status();
    expect(Object.fromEntries(agent.calls)).toEqual(round);
    await clock.advance(1);
    await server.status();
    expect(Object.fromEntries(agent.calls)).toEqual({ ...round, "/health": 2, "/ready": 2, "/status": 2 });
  });

  test.each([
    ["200 ready:false", () => Response.json({ ready: false, reason: "starting" }), "starting"],
    [
      "503 ready:false",
      () => Response.json({ ready: false, reason: "no_answer" }, { status: 503 }),
      "no_answer",
    ],
    [
      "503 that says ready all the same",
      () => Response.json({ ready: true, reason: "odd" }, { status: 503 }),
      "odd",
    ],
    ["500", () => new Response("oops", { status: 500 }), "http_500"],
    ["200 with HTML", html, "not_an_answer"],
    ["200 with nothing", () => new Response(""), "not_an_answer"],
    ["200 with a word for the truth", () => Response.json({ ready: "true" }), "not_an_answer"],
    ["silence", () => new Promise<Response>(() => {}), "no_answer"],
  ])("200: /ready answers %s: not ready, in list, row and status alike", async (_name, how, reason) => {
    await using agent = stubAgent();
    const server = await opened(agent);
    expect((await server.status()).agentReady).toBe(true);
    agent.answer("/ready", how);
    await clock.advance(5_001);
    const status = await server.status();
    expect(status).toMatchObject({
      agentReady: false,
      connectable: false,
      readiness: { ready: false, reason, stale: false },
      host: { status: "online" },
    });
    expect(status.players).toBeUndefined();
    expect(await server.row()).toMatchObject({ ready: false, agentReady: false, hostStatus: "online" });
    expect(await server.listed()).toMatchObject({ ready: false, agentReady: false });
  });

  test("200: a dead agent is offline and not ready at once, and its last answer grows stale", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    const { observedAt } = (await server.status()).readiness;
    const lastSeen = (await server.row()).lastSeen;
    await agent.kill();
    await clock.advance(5_001);
    expect(await server.status()).toMatchObject({
      status: "offline",
      agentReady: false,
      connectable: false,
      crash: null,
      host: { status: "offline" },
      agent: { status: "offline", state: null, version: "1.2.3", error: "The agent cannot be reached" },
      readiness: { ready: false, reason: "no_answer", observedAt, stale: false },
    });
    expect(await server.listed()).toMatchObject({ hostStatus: "offline", agentReady: false, lastSeen });
    await clock.advance(15_000);
    expect((await server.status()).readiness).toMatchObject({ stale: true, ageMs: 20_001, observedAt });
  });

  test("200: an observation older than its time to live is no statement about the present", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    await server.status();
    await clock.advance(15_000);
    expect(await server.listed()).toMatchObject({ status: "running", agentReady: true });
    await clock.advance(1);
    const unknown = { status: "unknown", hostStatus: "offline", agentReady: false, ready: false };
    expect(await server.listed()).toMatchObject(unknown);
    expect(await server.row()).toMatchObject(unknown);
  });

  test("200: idle is not offline, and an agent whose host answers may lack detail", async () => {
    await using agent = stubAgent();
    Object.assign(agent.says, { state: "idle", ready: false });
    const server = await opened(agent);
    expect(await server.status()).toMatchObject({
      status: "idle",
      host: { status: "online" },
      agent: { state: "idle" },
    });
    agent.answer("/status", () => new Response("no", { status: 500 }));
    await clock.advance(5_001);
    expect(await server.status()).toMatchObject({
      status: "unknown",
      host: { status: "online" },
      agent: { status: "offline", state: null, error: "The agent gave an answer that is no status (500)" },
    });
  });

  test("200: a crash is shown with its count, class and the last lines", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    const crash = {
      count: 2,
      time: "2030-01-01T00:00:00Z",
      exit_code: 137,
      signal: "SIGKILL",
      uptime: 12.5,
      log_tail: "java.lang.OutOfMemoryError",
      class: "oom",
      next_start_at: null,
    } as const;
    Object.assign(agent.says, { state: "crashed", ready: false, status: { crash } });
    expect(await server.status()).toMatchObject({
      status: "crashed",
      crash: { count: 2, exitCode: 137, class: "oom", logTail: "java.lang.OutOfMemoryError" },
    });
    expect(await server.row()).toMatchObject({ status: "crashed", crashCount: 2 });
  });

  test("200: a game that was stopped after a crash starts at no time, whatever its agent had in mind", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    const next_start_at = "2030-01-01T00:02:00Z";
    const crash = {
      count: 1,
      time: "2030-01-01T00:00:00Z",
      exit_code: 1,
      signal: null,
      uptime: 1,
      log_tail: "",
      class: "nonzero_exit",
      next_start_at,
    } as const;
    Object.assign(agent.says, { state: "crashed", ready: false, status: { crash } });
    expect((await server.status()).crash).toMatchObject({ nextStartAt: next_start_at });
    agent.says.state = "idle";
    await clock.advance(5_001);
    expect((await server.status()).crash).toMatchObject({ count: 1, nextStartAt: null });
  });

  test("200: operator or not, the proxy's words and the published address are the server's own", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    const { instanceId, id } = server;
    const eventAt = "2030-01-01T00:00:00Z";
    const value = { address: "play.example.org:25565" };
    await servers.ask("mergePayload", { instanceId, key: "edge", value, eventAt });
    await servers.ask("mergePayload", {
      instanceId,
      key: "proxy",
      value: { status: "proxy_ping_ok" },
      eventAt,
    });
    expect(await servers.ask("getStatus", { id }, operator)).toMatchObject({
      address: "play.example.org:25565",
      connectable: true,
      proxy: { status: "proxy_ping_ok" },
    });
  });

  test("404 servers.not_found: another's server, and its agent is not asked", async () => {
    await using agent = stubAgent();
    const { id } = await opened(agent);
    const call = servers.ask("getStatus", { id }, account("acc_stranger"));
    expect(call).rejects.toMatchObject({ status: 404, code: "servers.not_found" });
    expect(agent.calls.size).toBe(0);
  });
});
