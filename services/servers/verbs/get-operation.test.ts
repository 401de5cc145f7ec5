import { afterAll, describe, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { stubAgent } from "../testing/agent.ts";
import { account, operator, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("getOperation", () => {
  test("200: for its owner and for operators, also after the server was deleted", async () => {
    await using agent = stubAgent();
    const opened = await servers.open({ agent: agent.access });
    const { id, owner } = opened;
    const { operation } = await servers.ask("startGame", { id }, owner);
    await servers.ask("archive", { ...opened, reason: "deleted" });
    for (const actor of [owner, operator])
      expect(await servers.ask("getOperation", { operationId: operation.id }, actor)).toEqual(operation);
    expect(operation).toMatchObject({
      id: expect.stringMatching(/^srv_/),
      serverId: id,
      statusUrl: `/api/operations/${operation.id}`,
    });
  });

  test("404 servers.operation_not_found: alike for another's operation and for one that never was", async () => {
    await using agent = stubAgent();
    const { id, owner } = await servers.open({ agent: agent.access });
    const { operation } = await servers.ask("startGame", { id }, owner);
    for (const operationId of [operation.id, newId("srv")])
      expect(servers.ask("getOperation", { operationId }, account("acc_stranger"))).rejects.toMatchObject({
        status: 404,
        code: "servers.operation_not_found",
      });
  });
});
