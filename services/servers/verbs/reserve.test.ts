import { afterAll, describe, expect, test } from "bun:test";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

const wish = (change: object = {}) => ({
  operationId: newId("prv"),
  instanceId: newInstanceId(),
  customerId: "acc_1",
  ctype: "game",
  ...change,
});
const reserve = (input: object) => servers.ask("reserve", input);
/** A service with three numbers for dev servers. */
const three = () =>
  serversForTest({
    clock,
    config: { VMID_RANGES: { game: [{ from: 5000, to: 5999 }], dev: [{ from: 6000, to: 6002 }] } },
  });

describe("reserve", () => {
  test("200: a hundred at once get a hundred different numbers of the range", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => reserve(wish())));
    const vmids = new Set(answers.map(({ vmid }) => vmid));
    expect(vmids.size).toBe(100);
    for (const vmid of vmids) expect(vmid >= 5000 && vmid <= 5999).toBe(true);
  });

  test("200: the same operation always gets the same number, however often and how closely it asks", async () => {
    const mine = wish();
    const answers = await Promise.all(Array.from({ length: 10 }, () => reserve(mine)));
    expect(new Set(answers.map(({ vmid }) => vmid)).size).toBe(1);
    expect(answers[0]?.instanceId).toBe(mine.instanceId);
  });

  test("200: a number that is somebody else's at the host is changed for another, and rests for everybody", async () => {
    await using few = await three();
    const take = (input: object) => few.ask("reserve", input);
    const mine = wish({ ctype: "dev" });
    const { vmid: foreign } = await take(mine);
    const second = await take({ ...mine, exclude: [foreign] });
    expect(second.vmid).not.toBe(foreign);
    // Asked again because the answer was lost, it is the same.
    expect(await take({ ...mine, exclude: [foreign] })).toEqual(second);
    expect((await take(wish({ ctype: "dev" }))).vmid).not.toBe(foreign);
    expect(take(wish({ ctype: "dev" }))).rejects.toMatchObject({ code: "servers.range_exhausted" });
    await clock.advance(24 * 60 * 60_000);
    expect((await take(wish({ ctype: "dev" }))).vmid).toBe(foreign);
  });

  test("200: excluding a number takes it from nobody who holds it here, and one outside of the ranges is ignored", async () => {
    const holder = wish();
    const { vmid } = await reserve(holder);
    const other = await reserve({ ...wish(), exclude: [vmid, 9999] });
    expect(other.vmid).not.toBe(vmid);
    expect((await reserve(holder)).vmid).toBe(vmid);
  });

  test("200: a number that was given back rests for a day, then serves again", async () => {
    await using few = await three();
    const take = (input: object) => few.ask("reserve", input);
    const first = wish({ ctype: "dev" });
    const { vmid } = await take(first);
    await few.ask("release", first);
    for (const other of [wish({ ctype: "dev" }), wish({ ctype: "dev" })])
      expect((await take(other)).vmid).not.toBe(vmid);
    await clock.advance(24 * 60 * 60_000 - 1);
    const late = wish({ ctype: "dev" });
    expect(take(late)).rejects.toMatchObject({ code: "servers.range_exhausted" });
    await clock.advance(1);
    expect((await take(late)).vmid).toBe(vmid);
  });

  test("200: a request that arrives after its operation gave the number back takes no new one", async () => {
    const mine = wish();
    const { vmid } = await reserve(mine);
    await servers.ask("release", mine);
    expect((await reserve(mine)).vmid).toBe(vmid);
    expect(servers.open({ ...mine, vmid })).rejects.toMatchObject({ code: "servers.not_reserved" });
  });

  test("503 servers.range_exhausted: told to try again, and of the other type there are plenty", async () => {
    await using few = await three();
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, () => few.ask("reserve", wish({ ctype: "dev" }))),
    );
    expect(answers.filter((answer) => answer.status === "fulfilled")).toHaveLength(3);
    for (const answer of answers)
      if (answer.status === "rejected")
        expect(answer.reason).toMatchObject({
          status: 503,
          code: "servers.range_exhausted",
          retryable: true,
        });
    await few.ask("reserve", wish());
  });
});
