import { afterAll, describe, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { stubAgent } from "../testing/agent.ts";
import { account, operator, serversForTest, service } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const list = async (actor = service) => (await servers.ask("listServers", {}, actor)).servers;

describe("listServers", () => {
  test("200: the account's own servers by number, and nobody else's, not for an operator either", async () => {
    const customerId = newId("acc");
    const first = await servers.open({ customerId });
    const dev = await servers.open({
      customerId,
      ctype: "dev",
      engineType: "node",
      engineVersion: "22",
      payload: {},
    });
    await servers.open();
    const rows = await list(account(customerId));
    expect(rows.map((row) => row.id)).toEqual([first.id, dev.id]);
    expect(rows[0]).toMatchObject({
      category: "GAME",
      type: "minecraft",
      flavor: "flying-squid",
      runtime: "bun",
      version: "1.16.5",
      hostStatus: "offline",
      agentStatus: "offline",
      status: "unknown",
      lastSeen: null,
      ready: false,
      agentReady: false,
      connectable: false,
      address: null,
      ip: "127.0.0.1",
      operationInProgress: false,
      maintenance: false,
      crashCount: 0,
      billingState: "allowed",
    });
    expect(rows[1]).toMatchObject({ category: "DEV", type: "node", runtime: "node", flavor: null });
    expect(await list(operator)).toEqual([]);
    expect(await list(account(newId("acc")))).toEqual([]);
    expect(await list(service)).toEqual([]);
  });

  test("200: never asks an agent, however dead it is", async () => {
    await using agent = stubAgent();
    agent.answer("/status", () => new Promise(() => {}));
    const { owner } = await servers.open({ agent: agent.access });
    await list(owner);
    expect(agent.calls.size).toBe(0);
  });
});
