import { afterAll, describe, expect, test } from "bun:test";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

async function reserved(change: object = {}) {
  const ids = {
    operationId: newId("prv"),
    instanceId: newInstanceId(),
    customerId: newId("acc"),
    ctype: "game",
  };
  const { vmid } = await servers.ask("reserve", ids);
  return {
    ...ids,
    vmid,
    name: "my world",
    hostname: `srv-${vmid}`,
    node: "local",
    ip: null,
    engineType: "minecraft",
    engineVersion: null,
    payload: { engine: { variant: "paper" } },
    agent: { address: "http://127.0.0.1:9", token: "secret" },
    ...change,
  };
}
const activate = (input: object) => servers.ask("activate", input);

describe("activate", () => {
  test("200: the reserved instance lives, should run, and everybody is told", async () => {
    const wish = await reserved();
    const { agent: _secret, operationId: _id, ...facts } = wish;
    const live = await activate(wish);
    const wishes = { desired: "running", hostDesired: "running" } as const;
    expect(live).toEqual({ ...facts, ...wishes, ctype: "game", removing: false, version: 1 });
    // Its owner is about to look at it: it is seen at once.
    expect(servers.looked).toContain(wish.instanceId);
    const events = await servers.events(wish.instanceId);
    expect([...events]).toEqual([
      {
        subject: `evt.servers.v1.instance.changed.${wish.instanceId}`,
        version: 1,
        payload: live,
      },
    ]);
  });

  test("200: ten times at once make one server and ten equal answers", async () => {
    const wish = await reserved();
    const answers = await Promise.all(Array.from({ length: 10 }, () => activate(wish)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await servers.events(wish.instanceId)).toHaveLength(1);
  });

  test("409 servers.not_reserved: another number, instance, customer or type than was reserved", async () => {
    const wish = await reserved();
    const other = await reserved();
    const changes = [
      { vmid: other.vmid },
      { instanceId: newInstanceId() },
      { customerId: "acc_other" },
      { ctype: "dev" },
    ];
    for (const change of changes)
      expect(activate({ ...wish, ...change })).rejects.toMatchObject({
        status: 409,
        code: "servers.not_reserved",
      });
    await activate(wish);
  });

  test("409 servers.not_reserved: what was archived does not come to life again", async () => {
    const wish = await reserved();
    await activate(wish);
    await servers.ask("archive", { ...wish, reason: "deleted" });
    expect(activate(wish)).rejects.toMatchObject({ code: "servers.not_reserved" });
    await servers.ask("release", wish);
    expect(activate(wish)).rejects.toMatchObject({ code: "servers.not_reserved" });
  });
});
