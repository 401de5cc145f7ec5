import { expect, test } from "bun:test";
import { stubAgent } from "./testing/agent.ts";
import { serversForTest, until } from "./testing/servers.ts";

type PowerRoute = "startGame" | "stopGame" | "restartGame";

test("a server is reserved, comes to life, is listed, polled, stopped, started and archived", async () => {
  await using agent = stubAgent();
  await using servers = await serversForTest({
    running: true,
    config: { AGENT_POLL_MS: 20, POWER_POLL_MS: 10, STATUS_FRESH_MS: 20 },
  });
  const { id, owner, instanceId, operationId } = await servers.open({ agent: agent.access });
  const list = async () => (await servers.ask("listServers", {}, owner)).servers[0];
  await until(list, (row) => row?.["agentReady"] === true);
  expect(await list()).toMatchObject({
    id,
    instanceId,
    hostStatus: "online",
    status: "running",
    lastSeen: expect.any(String),
  });

  const eventAt = new Date().toISOString();
  const address = "srv.example.org:25565";
  await servers.ask("mergePayload", { instanceId, key: "edge", value: { address }, eventAt });
  expect(await servers.ask("getStatus", { id }, owner)).toMatchObject({
    address,
    connectable: true,
    desired: "running",
    agent: { state: "running", version: "1.2.3" },
    players: { online: 2, max: 20 },
  });

  const settled = async (route: PowerRoute) => {
    const { operation } = await servers.ask(route, { id }, owner);
    expect(operation).toMatchObject({ status: "running", serverId: id });
    const read = () => servers.ask("getOperation", { operationId: operation.id }, owner);
    return until(read, (now) => now.status !== "running");
  };
  expect(await settled("stopGame")).toMatchObject({ type: "power.stop", status: "succeeded" });
  await until(list, (row) => row?.["status"] === "stopped");
  expect(await servers.ask("getStatus", { id }, owner)).toMatchObject({
    desired: "stopped",
    operation: null,
  });
  expect(await settled("startGame")).toMatchObject({ type: "power.start", status: "succeeded" });
  expect(await settled("restartGame")).toMatchObject({ type: "power.restart", status: "succeeded" });

  expect(await servers.ask("archive", { operationId, instanceId, reason: "deleted" })).toEqual({
    archived: true,
  });
  expect(await list()).toBeUndefined();
  const versions = (await servers.events(instanceId)).map((event) => event.version);
  expect(versions).toEqual([1, 2, 3, 4, 5]);
});
