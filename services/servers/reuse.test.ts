import { expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { stubAgent } from "./testing/agent.ts";
import { operator, serversForTest } from "./testing/servers.ts";

const dayMs = 24 * 60 * 60_000;

test("a VMID that is used again by another account shows nothing of its former owner, and he sees nothing of the new one", async () => {
  const clock = manualClock();
  await using servers = await serversForTest({ clock });
  await using agent = stubAgent();
  agent.says.status = { error: { code: "secret", message: "the first one's words" } };
  const first = await servers.open({ agent: agent.access, name: "first world" });
  const { id, instanceId } = first;
  await servers.ask("mergePayload", {
    instanceId,
    key: "edge",
    value: { address: "first.example.org:25565" },
    eventAt: new Date(clock.now()).toISOString(),
  });
  const stop = await servers.ask("stopGame", { id }, first.owner);
  await servers.ask("getServer", { id }, operator);
  await servers.ask("getStatus", { id }, first.owner);
  expect(servers.deps.live.get(instanceId)).toBeDefined();

  await servers.ask("archive", { ...first, reason: "deleted" });
  await servers.ask("release", first);
  await clock.advance(dayMs - 1);
  expect((await servers.open()).vmid).not.toBe(first.vmid);
  await clock.advance(1);
  const second = await servers.open({ name: "second world" });
  expect(second.vmid).toBe(first.vmid);

  const status = await servers.ask("getStatus", { id }, second.owner);
  expect(status).toMatchObject({ instanceId: second.instanceId, name: "second world", address: null });
  expect(status).toMatchObject({ agent: { status: "offline", state: null }, operation: null, proxy: null });
  expect(JSON.stringify(status)).not.toContain("first");
  const { servers: rows } = await servers.ask("listServers", {}, second.owner);
  expect(rows.map((row) => row.instanceId)).toEqual([second.instanceId]);
  expect(JSON.stringify(rows)).not.toContain("first");
  const facts = await servers.ask("authorizeAgent", { serverId: id, action: "files.read" }, second.owner);
  expect(facts).toMatchObject({ instanceId: second.instanceId, agent: { token: "nobody" } });
  const operationId = stop.operation.id;
  expect(servers.ask("getOperation", { operationId }, second.owner)).rejects.toMatchObject({ status: 404 });
  expect((await servers.ask("getOperation", { operationId }, first.owner)).id).toBe(operationId);
  expect(await servers.audits(second.instanceId)).toEqual([]);

  const gone = { status: 404, code: "servers.not_found" };
  for (const serverId of [id, instanceId])
    for (const action of ["server.read", "power.stop", "server.delete"])
      expect(servers.ask("authorize", { serverId, action }, first.owner)).rejects.toMatchObject(gone);
  for (const route of ["getServer", "getStatus", "getPlayers", "startGame"] as const)
    expect(servers.ask(route, { id }, first.owner)).rejects.toMatchObject(gone);
  expect((await servers.ask("listInstances", {}, first.owner)).rows).toEqual([]);

  const left = await servers.query((tx) => tx`select from operation_lock where instance_id = ${instanceId}`);
  expect(left).toHaveLength(0);
});
