import { afterAll, describe, expect, test } from "bun:test";
import { account, serversForTest, service } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const agent = { address: "http://10.0.0.7:18888", token: "agent-secret-1" };
const ask = (serverId: string, action: string, actor = service) =>
  servers.ask("authorizeAgent", { serverId, action }, actor);

describe("authorizeAgent", () => {
  test("200: the facts with the agent's address and token", async () => {
    const { id, owner } = await servers.open({ agent });
    expect((await ask(id, "console.view", owner)).agent).toEqual(agent);
    expect((await ask(id, "backups.create", owner)).lock?.fence).toBe(1);
  });

  test("404 servers.not_found, 402 billing.gated, 409 servers.busy: as authorize", async () => {
    const { id, customerId } = await servers.open({ agent });
    expect(ask(id, "files.read", account("acc_stranger"))).rejects.toMatchObject({
      code: "servers.not_found",
    });
    await ask(id, "power.stop");
    expect(ask(id, "power.stop")).rejects.toMatchObject({ code: "servers.busy" });
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    expect(ask(id, "console.view")).rejects.toMatchObject({ code: "billing.gated" });
  });

  test("200: nobody else is told the token: not by other answers, not by events, not from the archive", async () => {
    const opened = await servers.open({ agent });
    const { id, owner, instanceId } = opened;
    const said = [
      await servers.ask("authorize", { serverId: id, action: "server.read" }, owner),
      await servers.ask("listServers", {}, owner),
      await servers.ask("getServer", { id }, owner),
      await servers.ask("findInstance", { instanceId }),
      await servers.ask("archive", { ...opened, reason: "deleted" }),
      await servers.query((tx) => tx`select * from deleted_instance where instance_id = ${instanceId}`),
      await servers.events(instanceId),
    ];
    expect(JSON.stringify(said)).not.toContain("agent-secret");
    expect(JSON.stringify(said)).toContain(instanceId);
  });
});
