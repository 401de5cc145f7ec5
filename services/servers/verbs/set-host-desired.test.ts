import { afterAll, describe, expect, test } from "bun:test";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

/** A server under the lock of an operation on its host. */
async function held() {
  const server = await servers.open();
  const { lock } = await servers.ask("authorize", { serverId: server.id, action: "power.stop" });
  if (!lock) throw new Error("an exclusive action takes the lock");
  const write = (desired: string, o: object = {}) =>
    servers.ask("setHostDesired", { instanceId: server.instanceId, ...lock, desired, ...o });
  return { ...server, lock, write };
}

describe("setHostDesired", () => {
  test("200: the wish is written, everybody is told, and what was wanted of the game is kept", async () => {
    const { write, instanceId } = await held();
    expect(await write("stopped")).toEqual({ version: 2 });
    const { instance } = await servers.ask("findInstance", { instanceId });
    expect(instance).toMatchObject({ hostDesired: "stopped", desired: "running", version: 2 });
    const events = await servers.events(instanceId);
    expect(events.at(-1)).toMatchObject({ version: 2, payload: { hostDesired: "stopped" } });
  });

  test("200: the same wish again changes nothing, and nobody is told", async () => {
    const { write, instanceId } = await held();
    await write("stopped");
    expect(await write("stopped")).toEqual({ version: 2 });
    expect(await servers.events(instanceId)).toHaveLength(2);
  });

  test("409 servers.stale: without the lock, or under a fence that is not held any more", async () => {
    const { write, lock, instanceId } = await held();
    for (const wrong of [{ fence: lock.fence + 1 }, { operationId: "srv_another" }])
      expect(write("stopped", wrong)).rejects.toMatchObject({ status: 409, code: "servers.stale" });
    await servers.ask("unlock", { instanceId, ...lock });
    expect(write("stopped")).rejects.toMatchObject({ status: 409, code: "servers.stale" });
    const { instance } = await servers.ask("findInstance", { instanceId });
    expect(instance).toMatchObject({ hostDesired: "running", version: 1 });
  });
});
