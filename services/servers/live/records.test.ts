import { afterAll, describe, expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { lockLife } from "../moment.ts";
import { recordsOf } from "./records.ts";
import type { LockLife } from "../store.ts";
import { serversForTest } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

/** A memory of its own, that hears of nothing unless it is told. */
const memory = () =>
  recordsOf({ db: servers.deps.db, clock, ttlMs: 1_000, lockLife: lockLife(servers.deps) });
const rename = (instanceId: string, name: string) =>
  servers.query((tx) => tx`update container_instance set name = ${name} where instance_id = ${instanceId}`);

describe("what is remembered of servers", () => {
  test("is given by number and by uuid for a moment, and then read anew", async () => {
    const records = memory();
    const { vmid, instanceId } = await servers.open();
    const known = await records.find({ vmid });
    expect(known).toMatchObject({ server: { instanceId, vmid }, agent: { token: "nobody" } });
    await rename(instanceId, "another");
    expect(await records.find({ instanceId })).toBe(known);
    await clock.advance(999);
    expect(await records.find({ vmid })).toBe(known);
    await clock.advance(1);
    expect((await records.find({ vmid }))?.server.name).toBe("another");
  });

  test("who asks at the same time shares one question", async () => {
    const records = memory();
    const { vmid } = await servers.open();
    const answers = await Promise.all(Array.from({ length: 50 }, () => records.find({ vmid })));
    expect(new Set(answers).size).toBe(1);
  });

  test("a server that does not exist is not remembered as such", async () => {
    const records = memory();
    const missing = 5_999;
    expect(await records.find({ vmid: missing })).toBeUndefined();
    const { vmid, instanceId } = await servers.open();
    await servers.query(
      (tx) => tx`update container_instance set vmid = ${missing} where instance_id = ${instanceId}`,
    );
    expect((await records.find({ vmid: missing }))?.server.instanceId).toBe(instanceId);
    await servers.query(
      (tx) => tx`update container_instance set vmid = ${vmid} where instance_id = ${instanceId}`,
    );
  });

  test("is forgotten with the server, and with everything of its account", async () => {
    const records = memory();
    const { vmid, instanceId, customerId } = await servers.open();
    for (const what of [{ instanceId }, { customerId }]) {
      const before = await records.find({ vmid });
      records.forget(what);
      expect(await records.find({ vmid })).not.toBe(before);
    }
  });

  test("what was being read when somebody wrote is kept by nobody, and not given to who asks later", async () => {
    const records = memory();
    const { vmid, instanceId } = await servers.open();
    const reading = records.find({ vmid });
    records.forget({ instanceId });
    const later = records.find({ vmid });
    expect(later).not.toBe(reading);
    const [first, second] = await Promise.all([reading, later]);
    expect(first).not.toBe(second);
    expect(await records.find({ vmid })).toBe(second);
  });

  test("a database that is away is an error each time, and no memory", async () => {
    const { db } = servers.deps;
    const { vmid } = await servers.open();
    const broken = recordsOf({
      db,
      clock,
      ttlMs: 1_000,
      get lockLife(): LockLife {
        throw new Error("away");
      },
    });
    for (let i = 0; i < 2; i++) expect(broken.find({ vmid })).rejects.toThrow("away");
  });
});

describe("every write shows at once in the process that made it", () => {
  test("lock, wish, host, payload, suspension, teardown", async () => {
    const server = await servers.open();
    const { id, instanceId, customerId, owner } = server;
    const row = () => servers.ask("getStatus", { id }, owner);
    await row();
    const { lock } = await servers.ask("authorize", { serverId: id, action: "power.stop" });
    expect((await row()).operation).toMatchObject({ id: lock?.operationId, message: null });
    const words = { type: "host.stop", phase: "stop", message: "Stopping the server" };
    await servers.ask("heartbeat", { instanceId, ...lock, ...words });
    expect((await row()).operation).toMatchObject({ type: "host.stop", message: "Stopping the server" });
    await servers.ask("setHostDesired", { instanceId, ...lock, desired: "stopped" });
    expect((await row()).host.desired).toBe("stopped");
    await servers.ask("unlock", { instanceId, ...lock });
    expect((await row()).operation).toBeNull();
    const eventAt = new Date(clock.now()).toISOString();
    await servers.ask("mergePayload", { instanceId, key: "edge", value: { address: "a:1" }, eventAt });
    expect((await row()).address).toBe("a:1");
    await servers.bills(customerId, { serverBillingState: "retained" });
    expect((await row()).billing.serverState).toBe("retained");
    await servers.ask("archive", { ...server, reason: "deleted", keepRow: true });
    expect((await row()).status).toBe("deleting");
    await servers.ask("archive", { ...server, reason: "deleted" });
    expect(row()).rejects.toMatchObject({ code: "servers.not_found" });
  });
});
