import { expect, test } from "bun:test";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";
import { natsForTest } from "#shared/testing/nats.ts";
import { closeBus, connectBus, tell } from "./connect.ts";

const usersOf = (password: string) => `authorization { users = [ { user: "a", password: "${password}" } ] }`;

test("a server that refuses the user for a while is connected to again", async () => {
  await using nats = await natsForTest({ jetstream: false, config: usersOf("right") });
  const lines: string[] = [];
  const log = wrap((level, _, message) => void lines.push(`${level}: ${message}`), {});
  const bus = await connectBus({ name: "a", url: nats.url, user: "a", password: "right", log });
  await nats.restart({ config: usersOf("wrong") });
  let refused = 0;
  for await (const { type } of bus.nc.status()) {
    // Each begins when the one before has been refused.
    const attempt: string = type;
    if (attempt === "reconnecting" && ++refused === 4) break;
  }
  const first = connectBus({
    name: "a",
    url: nats.url,
    user: "a",
    password: "right",
    log: silentLogger,
    waitMs: 50,
  });
  expect(await first.catch((error: unknown) => error)).toMatchObject({ code: "service.unavailable" });
  await nats.restart({ config: usersOf("right") });
  await bus.link.whenUp(AbortSignal.timeout(20_000));
  expect(lines).toEqual([
    "warn: the bus is disconnected",
    "error: the bus refuses the connection",
    "info: the bus is connected again",
  ]);
  await closeBus(bus);
});

test("what is told while the bus is being left, or was, is dropped without a word", async () => {
  await using nats = await natsForTest({ jetstream: false });
  const bus = await connectBus({ name: "a", url: nats.url, user: "", password: "", log: silentLogger });
  const left = new AbortController();
  const leaving = closeBus(bus).finally(() => left.abort());
  while (!left.signal.aborted) {
    tell(bus, "word");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await leaving;
  tell(bus, "word");
});
