import { afterAll, describe, expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { type StubAgent, stubAgent } from "../testing/agent.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock, config: { AGENT_CALL_MS: 100 } });
afterAll(() => servers[Symbol.asyncDispose]());

async function opened(agent: StubAgent, change: { ctype?: "dev" } = {}) {
  const server = await servers.open({ agent: agent.access, ...change });
  const { id, owner } = server;
  return {
    ...server,
    status: () => servers.ask("getStatus", { id }, owner),
    row: () => servers.ask("getServer", { id }, owner),
  };
}

describe("getStatus, where the host is the matter", () => {
  test("200: of a server whose host is stopped nobody is asked; it is stopped, and wanted as before", async () => {
    await using agent = stubAgent();
    const server = await opened(agent);
    await servers.stopHost(server.instanceId);
    agent.calls.clear();
    await clock.advance(60_000);
    expect(await server.status()).toMatchObject({
      status: "stopped",
      desired: "running",
      host: { status: "offline", desired: "stopped" },
      connectable: false,
      agentReady: false,
    });
    expect(agent.calls.size).toBe(0);
    expect(await server.row()).toMatchObject({ status: "stopped", hostStatus: "offline" });
  });

  test("200: a dev server runs while its host does, is ready when its agent says so, and open once it is published", async () => {
    await using agent = stubAgent();
    Object.assign(agent.says, { state: "running", ready: false });
    const server = await opened(agent, { ctype: "dev" });
    const { instanceId } = server;
    expect(await server.status()).toMatchObject({
      status: "running",
      desired: "running",
      agentReady: false,
      connectable: false,
    });
    agent.says.ready = true;
    await clock.advance(5_001);
    expect(await server.status()).toMatchObject({ agentReady: true, connectable: false, address: null });
    const value = { address: "dev-6000.example.org:443" };
    const eventAt = new Date(clock.now()).toISOString();
    await servers.ask("mergePayload", { instanceId, key: "edge", value, eventAt });
    expect(await server.status()).toMatchObject({ connectable: true, address: value.address });
    expect(await server.row()).toMatchObject({ category: "DEV", status: "running", connectable: true });
  });
});
