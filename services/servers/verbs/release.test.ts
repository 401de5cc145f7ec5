import { afterAll, describe, expect, test } from "bun:test";
import { newInstanceId } from "#shared/ids/ids.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

describe("release", () => {
  test("200: repeated, it changes nothing, and does not begin the rest anew", async () => {
    const opened = await servers.open();
    await servers.ask("archive", { ...opened, reason: "deleted" });
    expect(await servers.ask("release", opened)).toEqual({ released: true });
    await clock.advance(23 * 60 * 60_000);
    expect(await servers.ask("release", opened)).toEqual({ released: true });
    await clock.advance(60 * 60_000);
    expect((await servers.open()).vmid).toBe(opened.vmid);
    // A late repetition of the former owner's release no longer concerns the number.
    expect(await servers.ask("release", opened)).toEqual({ released: false });
    expect((await servers.open()).vmid).not.toBe(opened.vmid);
  });

  test("200: there is nothing to give back for an instance without a number", async () => {
    const input = { operationId: "prv_1", instanceId: newInstanceId() };
    expect(await servers.ask("release", input)).toEqual({ released: false });
  });

  test("409 servers.still_live: an activation under way keeps its number, too", async () => {
    const late = await servers.activating();
    const releasing = servers.ask("release", late).catch((error: unknown) => error);
    await servers.blocked(releasing);
    await late.commit();
    expect(await releasing).toMatchObject({ status: 409, code: "servers.still_live" });
    expect((await servers.ask("findInstance", late)).instance).toMatchObject({ vmid: late.vmid });
  });

  test("409 servers.still_live: a server that lives keeps its number", async () => {
    const opened = await servers.open();
    expect(servers.ask("release", opened)).rejects.toMatchObject({ status: 409, code: "servers.still_live" });
    expect((await servers.open()).vmid).not.toBe(opened.vmid);
  });
});
