import { afterAll, describe, expect, test } from "bun:test";
import { stubAgent } from "../testing/agent.ts";
import { account, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const restart = (id: string, actor = account("acc_stranger")) => servers.ask("restartGame", { id }, actor);

describe("restartGame", () => {
  test("202: the agent is asked once; what should run is running", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await servers.open({ agent: agent.access });
    expect((await restart(id, owner)).operation).toMatchObject({ type: "power.restart", status: "running" });
    expect(agent.calls.get("/restart")).toBe(1);
    expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
      instance: { desired: "running" },
    });
  });

  test("402 billing.gated: a suspended account", async () => {
    const { id, owner, customerId } = await servers.open();
    await servers.bills(customerId, { serverBillingState: "suspended_shutdown" });
    expect(restart(id, owner)).rejects.toMatchObject({ status: 402, code: "billing.gated" });
  });

  test("409 servers.not_a_game and 404 servers.not_found", async () => {
    const { id, owner } = await servers.open({ ctype: "dev" });
    expect(restart(id, owner)).rejects.toMatchObject({ code: "servers.not_a_game" });
    expect(restart(id)).rejects.toMatchObject({ code: "servers.not_found" });
  });
});
