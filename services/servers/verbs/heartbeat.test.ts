import { afterAll, describe, expect, test } from "bun:test";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("heartbeat", () => {
  test("200: keeps the lock beyond its expiry, and the row and the status say what is being done", async () => {
    const { id, instanceId, owner } = await servers.open();
    const ask = { serverId: id, action: "backups.restore" };
    const { lock } = await servers.ask("authorize", ask);
    const { operationStartedAt } = await servers.ask("getServer", { id }, owner);
    expect(operationStartedAt).toBeString();
    const words = { type: "backups.restore", phase: "checkpoint", message: "Making a checkpoint" };
    for (let i = 0; i < 5; i++) {
      await servers.age(instanceId, 50_000);
      expect(await servers.ask("heartbeat", { instanceId, ...lock, ...words })).toEqual({ held: true });
    }
    expect(await servers.ask("getServer", { id }, owner)).toMatchObject({
      operationInProgress: true,
      operationType: "backups.restore",
      operationMessage: "Making a checkpoint",
      operationStartedAt,
    });
    await servers.age(instanceId, 60_000);
    expect(await servers.ask("getServer", { id }, owner)).toMatchObject({
      operationInProgress: false,
      operationType: null,
    });
    // Nobody has taken it meanwhile, so its holder may go on.
    expect(await servers.ask("heartbeat", { instanceId, ...lock, ...words })).toEqual({ held: true });
  });
});
