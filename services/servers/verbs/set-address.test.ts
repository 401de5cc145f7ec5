import { afterAll, describe, expect, test } from "bun:test";
import { stubAgent } from "../testing/agent.ts";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

/** A server under the lock of an operation on its host. */
async function held() {
  const server = await servers.open();
  const { lock } = await servers.ask("authorize", { serverId: server.id, action: "power.start" });
  if (!lock) throw new Error("an exclusive action takes the lock");
  const write = (agentAddress: string, o: object = {}) =>
    servers.ask("setAddress", {
      instanceId: server.instanceId,
      ...lock,
      ip: "192.0.2.10",
      agentAddress,
      ...o,
    });
  return { ...server, lock, write };
}

describe("setAddress", () => {
  test("200: from now on the server is asked there, with the token that it has", async () => {
    await using agent = stubAgent();
    const { write, id, instanceId, owner } = await held();
    await servers.query(
      (tx) =>
        tx`update container_instance set agent_token = ${agent.access.token} where instance_id = ${instanceId}`,
    );
    expect((await servers.ask("getStatus", { id }, owner)).host.status).toBe("offline");
    expect(await write(agent.access.address)).toEqual({ version: 2 });
    const { agent: access } = await servers.ask("authorizeAgent", { serverId: id, action: "files.read" });
    expect(access).toEqual(agent.access);
    expect((await servers.ask("getServer", { id }, owner)).ip).toBe("192.0.2.10");
    const events = await servers.events(instanceId);
    expect(events.at(-1)).toMatchObject({ version: 2, payload: { ip: "192.0.2.10" } });
    expect(JSON.stringify(events)).not.toContain(agent.access.address);
  });

  test("200: the same address again changes nothing, and nobody is told", async () => {
    const { write, instanceId } = await held();
    await write("http://192.0.2.10:18888");
    expect(await write("http://192.0.2.10:18888")).toEqual({ version: 2 });
    expect(await servers.events(instanceId)).toHaveLength(2);
  });

  test("409 servers.stale: without the lock, or under a fence that is not held any more", async () => {
    const { write, lock, instanceId } = await held();
    const stale = { status: 409, code: "servers.stale" };
    const address = "http://192.0.2.10:18888";
    expect(write(address, { fence: lock.fence + 1 })).rejects.toMatchObject(stale);
    await servers.ask("unlock", { instanceId, ...lock });
    expect(write(address)).rejects.toMatchObject(stale);
  });
});
