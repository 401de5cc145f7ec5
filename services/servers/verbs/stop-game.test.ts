import { afterAll, describe, expect, test } from "bun:test";
import { stubAgent } from "../testing/agent.ts";
import { account, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const stop = (id: string, actor = account("acc_stranger")) => servers.ask("stopGame", { id }, actor);

describe("stopGame", () => {
  test("202: the wish is written and the agent is asked", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await servers.open({ agent: agent.access });
    expect((await stop(id, owner)).operation).toMatchObject({ type: "power.stop", status: "running" });
    expect(agent.calls.get("/stop")).toBe(1);
    expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
      instance: { desired: "stopped" },
    });
  });

  test("202: a game that is stopped already: the operation has succeeded", async () => {
    await using agent = stubAgent();
    Object.assign(agent.says, { state: "idle", ready: false });
    const { id, owner, instanceId } = await servers.open({ agent: agent.access });
    expect((await stop(id, owner)).operation.status).toBe("succeeded");
    expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
      instance: { desired: "stopped" },
    });
  });

  test("202: on a stopped host nothing runs: the wish is written and the operation has succeeded, unasked", async () => {
    await using agent = stubAgent();
    const { id, owner, instanceId } = await servers.open({ agent: agent.access });
    await servers.stopHost(instanceId);
    expect((await stop(id, owner)).operation).toMatchObject({ type: "power.stop", status: "succeeded" });
    expect(agent.calls.get("/stop")).toBeUndefined();
    expect(await servers.ask("findInstance", { instanceId })).toMatchObject({
      instance: { desired: "stopped", hostDesired: "stopped" },
    });
    expect((await servers.ask("getServer", { id }, owner)).operationInProgress).toBe(false);
  });

  test("202: open to a suspended account", async () => {
    await using agent = stubAgent();
    const { id, owner, customerId } = await servers.open({ agent: agent.access });
    await servers.bills(customerId, { serverBillingState: "retained" });
    expect((await stop(id, owner)).operation.status).toBe("running");
  });

  test("409 servers.not_a_game and 404 servers.not_found", async () => {
    const { id, owner } = await servers.open({ ctype: "dev" });
    expect(stop(id, owner)).rejects.toMatchObject({ code: "servers.not_a_game" });
    expect(stop(id)).rejects.toMatchObject({ code: "servers.not_found" });
  });
});
