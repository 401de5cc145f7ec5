import { afterAll, describe, expect, test } from "bun:test";
import { account, operator, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("listInstances", () => {
  test("200: the account's own servers, as the list of servers shows them, and nobody else's", async () => {
    const first = await servers.open({ customerId: "acc_1" });
    const second = await servers.open({ customerId: "acc_1", ctype: "dev" });
    await servers.open({ customerId: "acc_2" });
    const { ok, rows } = await servers.ask("listInstances", {}, account("acc_1"));
    expect(ok).toBe(true);
    expect(rows.map(({ instanceId }) => instanceId)).toEqual([first.instanceId, second.instanceId]);
    expect(rows).toEqual((await servers.ask("listServers", {}, account("acc_1"))).servers);
    expect(await servers.ask("listInstances", {}, account("acc_3"))).toEqual({ ok: true, rows: [] });
    expect(await servers.ask("listInstances", {}, operator)).toEqual({ ok: true, rows: [] });
  });
});
