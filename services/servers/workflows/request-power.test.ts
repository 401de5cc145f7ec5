import { afterAll, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { stubAgent } from "../testing/agent.ts";
import { serversForTest } from "../testing/servers.ts";
import { requestPower } from "./request-power.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

test.each(["start", "stop", "restart"] as const)(
  "a process that was paused until another had its lock asks for no %s, and writes nothing",
  async (action) => {
    await using agent = stubAgent();
    const { id, instanceId } = await servers.open({ agent: agent.access });
    const ask = { serverId: id, operationId: newId("srv") };
    const facts = await servers.ask("authorizeAgent", { ...ask, action: `power.${action}` });
    await servers.ask("unlock", { instanceId, ...facts.lock });
    await servers.ask("authorize", { serverId: id, action: "backups.restore" });
    const call = { server: facts, deadline: Date.now() + 5_000 };
    expect(requestPower(servers.deps, action, call)).rejects.toThrow("the operation lock");
    expect(agent.calls.get(`/${action}`)).toBeUndefined();
    const { instance } = await servers.ask("findInstance", { instanceId });
    expect(instance).toMatchObject({ desired: "running", version: 1 });
    expect((await servers.ask("getServer", { id })).operationType).toBe("backups.restore");
    const operations = await servers.query((tx) => tx`select from operation where id = ${ask.operationId}`);
    expect(operations).toHaveLength(0);
  },
);

test("who has been told that there is no answer has asked for nothing", async () => {
  await using agent = stubAgent();
  const { id, instanceId } = await servers.open({ agent: agent.access });
  const operationId = newId("srv");
  const facts = await servers.ask("authorizeAgent", { serverId: id, operationId, action: "power.stop" });
  const late = requestPower(servers.deps, "stop", { server: facts, deadline: Date.now() });
  expect(late).rejects.toMatchObject({ status: 504, code: "service.timeout" });
  expect(agent.calls.get("/stop")).toBeUndefined();
  const { instance } = await servers.ask("findInstance", { instanceId });
  expect(instance).toMatchObject({ desired: "running", version: 1 });
  const operations = await servers.query((tx) => tx`select from operation where id = ${operationId}`);
  expect(operations).toHaveLength(0);
});
