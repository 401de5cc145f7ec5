import { afterAll, describe, expect, test } from "bun:test";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { config } from "../config.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const VMID_RANGES = config.shape.VMID_RANGES.parse("game:5000-5009,game:5100-5109,dev:6000-6004");
const servers = await serversForTest({ clock, config: { VMID_RANGES } });
afterAll(() => servers[Symbol.asyncDispose]());

describe("listInventory", () => {
  test("200: every number that is not free with whose it is, page by page, and the ranges", async () => {
    const ids = { operationId: newId("prv"), instanceId: newInstanceId(), customerId: newId("acc") };
    await servers.ask("reserve", { ...ids, ctype: "game", exclude: [5000] });
    const live = await servers.open();
    const removing = await servers.open();
    await servers.ask("archive", { ...removing, reason: "deleted", keepRow: true });
    const archived = await servers.open();
    await servers.ask("archive", { ...archived, reason: "deleted" });
    const resting = await servers.open({ ctype: "dev" });
    await servers.ask("archive", { ...resting, reason: "deleted" });
    await servers.ask("release", resting);

    const all = await servers.ask("listInventory", {});
    expect(all.rows.map(({ vmid, state }) => [vmid, state])).toEqual([
      [5000, "foreign"],
      [5001, "reserved"],
      [5002, "live"],
      [5003, "removing"],
      [5004, "archived"],
      [6000, "resting"],
    ]);
    expect(all.rows[0]).toMatchObject({ instanceId: null, customerId: null, node: null, hostname: null });
    expect(all.rows[1]).toMatchObject({ instanceId: ids.instanceId, node: null });
    const { instanceId, customerId } = live;
    const facts = { ctype: "game", node: "local", hostname: "srv-5002" };
    expect(all.rows[2]).toEqual({ vmid: 5002, instanceId, customerId, ...facts, state: "live" } as never);
    expect(all).toMatchObject({
      next: null,
      ranges: [
        { ctype: "game", first: 5000, last: 5009 },
        { ctype: "game", first: 5100, last: 5109 },
        { ctype: "dev", first: 6000, last: 6004 },
      ],
    });

    const pages: number[][] = [];
    for (let after: number | null | undefined; after !== null;) {
      const page = await servers.ask("listInventory", { limit: 4, ...(after ? { after } : {}) });
      pages.push(page.rows.map(({ vmid }) => vmid));
      after = page.next;
    }
    expect(pages).toEqual([
      [5000, 5001, 5002, 5003],
      [5004, 6000],
    ]);

    await clock.advance(24 * 60 * 60_000);
    const later = await servers.ask("listInventory", {});
    expect(later.rows.map(({ vmid }) => vmid)).toEqual([5001, 5002, 5003, 5004]);
  });

  test("400 request.invalid: more than a thousand at once", async () => {
    expect(servers.ask("listInventory", { limit: 1_001 })).rejects.toMatchObject({ status: 400 });
  });
});
