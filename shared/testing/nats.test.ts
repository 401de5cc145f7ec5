import { expect, test } from "bun:test";
import { connectBus, closeBus } from "#shared/bus/connect.ts";
import { readProcess } from "#shared/process/proc.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { natsForTest, type TestNats } from "./nats.ts";

const connect = (nats: TestNats) =>
  connectBus({ name: "test", url: nats.url, user: "", password: "", log: silentLogger });

test("a test owns its server, which ends with the test", async () => {
  let pid = 0;
  {
    await using nats = await natsForTest();
    pid = nats.pid;
    const bus = await connect(nats);
    await closeBus(bus);
    expect(readProcess(pid)).toBeDefined();
  }
  expect(readProcess(pid)).toBeUndefined();
});

test("two servers share nothing", async () => {
  await using one = await natsForTest();
  await using other = await natsForTest();
  expect(one.port).not.toBe(other.port);
});

test("after a crash the server is back on the same port, with what it had stored", async () => {
  await using nats = await natsForTest();
  const bus = await connect(nats);
  const manager = await bus.nc.jetstreamManager();
  await manager.streams.add({ name: "KEPT", subjects: ["kept"] });
  await bus.nc.jetstream().publish("kept", "x");
  await closeBus(bus);
  const before = nats.pid;
  await nats.kill();
  expect(readProcess(before)).toBeUndefined();
  await nats.restart();
  expect(nats.pid).not.toBe(before);
  const again = await connect(nats);
  const { state } = await (await again.nc.jetstreamManager()).streams.info("KEPT");
  expect(state.messages).toBe(1);
  await closeBus(again);
});

test("the store can be forgotten while the server is down, and only then", async () => {
  await using nats = await natsForTest();
  expect(() => nats.forget()).toThrow();
  const bus = await connect(nats);
  await (await bus.nc.jetstreamManager()).streams.add({ name: "LOST", subjects: ["lost"] });
  await closeBus(bus);
  await nats.kill();
  nats.forget();
  await nats.restart();
  const again = await connect(nats);
  expect(await (await again.nc.jetstreamManager()).streams.names().next()).toEqual([]);
  await closeBus(again);
});
