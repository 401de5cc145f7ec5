import { Socket } from "node:net";
import { afterAll, expect, spyOn, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { natsForTest } from "#shared/testing/nats.ts";
import { closeBus, connectBus } from "./connect.ts";

const server = await natsForTest();
afterAll(() => server[Symbol.asyncDispose]());

test("what one turn of the event loop publishes leaves in one write, not in one each", async () => {
  const bus = await connectBus({ name: "x", url: server.url, user: "", password: "", log: silentLogger });
  const heard = new Promise<void>((resolve) => {
    bus.nc.subscribe("word", { max: 100, callback: (_, msg) => void (msg.string() === "99" && resolve()) });
  });
  await bus.nc.flush();
  const write = spyOn(Socket.prototype, "write");
  // Each in a microtask of its own, as calls that arrive together are answered.
  for (let n = 0; n < 100; n++) {
    await Promise.resolve();
    bus.nc.publish("word", String(n));
  }
  await heard;
  expect(write.mock.calls.length).toBeLessThan(5);
  write.mockRestore();
  await closeBus(bus);
});
