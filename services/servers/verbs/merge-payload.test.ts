import { afterAll, describe, expect, test } from "bun:test";
import { newInstanceId } from "#shared/ids/ids.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();
const merge = (instanceId: string, key: string, value: object | null, second: number) =>
  servers.ask("mergePayload", { instanceId, key, value, eventAt: at(second) });
const payload = async (instanceId: string) =>
  (await servers.ask("findInstance", { instanceId })).instance?.payload;
const engine = { game: "minecraft", variant: "flying-squid", runtime: "bun" };

describe("mergePayload", () => {
  test("200: writers of different keys at the same time lose nothing of each other", async () => {
    const { instanceId } = await servers.open();
    const writes = Array.from({ length: 20 }, (_, i) => [
      merge(instanceId, "edge", { address: `a:${i}` }, i).catch(() => undefined),
      merge(instanceId, "proxy", { status: "proxy_ping_ok", latencyMs: i }, i).catch(() => undefined),
    ]).flat();
    await Promise.all(writes);
    await merge(instanceId, "edge", { address: "a:20" }, 20);
    expect(await payload(instanceId)).toEqual({
      engine,
      edge: { address: "a:20" },
      proxy: { status: "proxy_ping_ok", latencyMs: 19 },
    });
  });

  test("200: the key is replaced as a whole, null takes it away, each change is announced with its version", async () => {
    const { instanceId } = await servers.open();
    expect(await merge(instanceId, "edge", { address: "a:1", dns: true }, 1)).toEqual({ version: 2 });
    expect(await merge(instanceId, "edge", { address: "b:2" }, 2)).toEqual({ version: 3 });
    expect(await payload(instanceId)).toEqual({ engine, edge: { address: "b:2" } });
    expect(await merge(instanceId, "edge", null, 3)).toEqual({ version: 4 });
    expect(await payload(instanceId)).toEqual({ engine });
    const events = await servers.events(instanceId);
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    expect(events[2]?.payload).toMatchObject({ payload: { edge: { address: "b:2" } }, version: 3 });
  });

  test("200: the same event again changes nothing and announces nothing", async () => {
    const { instanceId } = await servers.open();
    const first = await merge(instanceId, "proxy", { status: "registered_with_proxy" }, 1);
    expect(await merge(instanceId, "proxy", { status: "registered_with_proxy" }, 1)).toEqual(first);
    expect(await servers.events(instanceId)).toHaveLength(2);
  });

  test("409 servers.stale: an older event of the same key, also after the key was taken away", async () => {
    const { instanceId } = await servers.open();
    await merge(instanceId, "edge", { address: "a:1" }, 10);
    await merge(instanceId, "proxy", { status: "proxy_ping_ok" }, 5);
    const refused = { status: 409, code: "servers.stale" };
    expect(merge(instanceId, "edge", { address: "old:1" }, 9)).rejects.toMatchObject(refused);
    await merge(instanceId, "edge", null, 11);
    expect(merge(instanceId, "edge", { address: "old:1" }, 10)).rejects.toMatchObject(refused);
    expect(await payload(instanceId)).toEqual({ engine, proxy: { status: "proxy_ping_ok" } });
  });

  test("422 servers.event_in_future: dated more than five minutes ahead, which would refuse all until then", async () => {
    const { instanceId } = await servers.open();
    const ahead = Math.floor(clock.now() / 1_000) - Date.UTC(2030, 0, 1) / 1_000 + 5 * 60;
    const future = { status: 422, code: "servers.event_in_future" };
    expect(merge(instanceId, "proxy", {}, ahead + 1)).rejects.toMatchObject(future);
    expect(await merge(instanceId, "proxy", {}, ahead)).toEqual({ version: 2 });
  });

  test("404 servers.not_found: no such instance, or none that lives", async () => {
    const missing = { status: 404, code: "servers.not_found" };
    expect(merge(newInstanceId(), "edge", {}, 1)).rejects.toMatchObject(missing);
    const opened = await servers.open();
    await servers.ask("archive", { ...opened, reason: "deleted" });
    expect(merge(opened.instanceId, "edge", {}, 1)).rejects.toMatchObject(missing);
  });
});
