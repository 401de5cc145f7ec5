import { afterAll, describe, expect, test } from "bun:test";
import { stubAgent } from "../testing/agent.ts";
import { account, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("getServer", () => {
  test("200: the row of the list, as last observed", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await servers.open({ agent: agent.access });
    expect(await servers.ask("getServer", { id }, owner)).toMatchObject({
      hostStatus: "offline",
      status: "unknown",
    });
    expect(agent.calls.size).toBe(0);
    await servers.deps.live.refresh({ instanceId, agent: agent.access });
    const row = await servers.ask("getServer", { id }, owner);
    expect(row).toMatchObject({ id, hostStatus: "online", status: "running", agentReady: true });
    const { servers: rows } = await servers.ask("listServers", {}, owner);
    expect(rows).toEqual([row]);
  });

  test("404 servers.not_found: another's server", async () => {
    const { id } = await servers.open();
    const call = servers.ask("getServer", { id }, account("acc_stranger"));
    expect(call).rejects.toMatchObject({ status: 404, code: "servers.not_found" });
  });

  test("400 request.invalid: what is no number of a server", async () => {
    const call = servers.ask("getServer", { id: "5000;drop" }, account("acc_1"));
    expect(call).rejects.toMatchObject({ status: 400, code: "request.invalid" });
  });
});
