import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Contract } from "#shared/contract/define.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { until } from "#shared/testing/call.ts";
import { back, lost, type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { sample } from "#shared/testing/sample.ts";
import type { Bus } from "./connect.ts";
import { consume, on } from "./consume.ts";
import { publisher } from "./publisher.ts";
import { ensureStreams } from "./streams.ts";

const reader = {
  service: "reader",
  version: "1.0.0",
  calls: [],
  consumes: ["sample.said"],
  routes: {},
  events: {},
} as const satisfies Contract;

let mesh: Mesh;
let buses: Bus[];
let hear: (word: string) => void = () => {};
let consumer: { stop(): Promise<void> };
beforeAll(async () => {
  mesh = await meshForTest([sample, reader]);
  buses = await Promise.all(["admin", "sample", "reader"].map((name) => mesh.bus(name)));
  consumer = await start();
});
afterAll(async () => {
  await consumer.stop();
  await mesh[Symbol.asyncDispose]();
});

async function start(react: (word: string) => unknown = (word) => hear(word)): Promise<typeof consumer> {
  const reaction = on(sample, "said", async ({ data }) => void (await react(data.word)));
  const bus = await mesh.bus("reader");
  return consume({ bus, reaction, clock: systemClock, log: silentLogger, retryMs: 20 });
}

/** Publishes a word and resolves when the reaction hears it. */
async function arrives(word: string): Promise<void> {
  const heard = new Promise<void>((resolve) => (hear = (said) => void (said === word && resolve())));
  await say(word);
  await heard;
}

async function say(word: string): Promise<void> {
  const body = { id: `evt_${word}`, key: word, version: 1, at: new Date(0).toISOString(), data: { word } };
  const events = publisher(await mesh.bus("sample"));
  await events.publish(`${sample.events.said.subject}.${word}`, body.id, JSON.stringify(body));
}

test("a reaction hears of events again after each crash of the server, and after the loss of its store", async () => {
  await arrives("before");
  for (const word of ["one", "two", "three"]) {
    await mesh.server.kill();
    await lost(...buses);
    await mesh.server.restart();
    await back(...buses);
    await arrives(word);
  }
  await mesh.server.kill();
  await lost(...buses);
  mesh.server.forget();
  await mesh.server.restart();
  await back(...buses);
  await ensureStreams(await mesh.bus("admin"), [sample, reader]);
  await arrives("four");
}, 60_000);

test("while the bus is away a publish is refused at once", async () => {
  const events = publisher(await mesh.bus("sample"), 60_000);
  await mesh.server.kill();
  const refusal = (answer: Promise<unknown>) => answer.catch((error: unknown) => error);
  const away = { code: "service.unavailable", status: 503 };
  expect(await refusal(events.publish("evt.sample.v1.word.said.x", "evt_x", "{}"))).toMatchObject(away);
  expect(await refusal(events.streamCreated())).toMatchObject(away);
  await lost(...buses);
  await mesh.server.restart();
  await back(...buses);
  expect(await events.streamCreated()).toMatch(/^\d{4}-/);
}, 60_000);

/** Less than what the server waits before it gives to another what a consumer had and did not settle. */
const soonMs = 5_000;

test("what a consumer that is stopped has pulled and not begun goes to another one at once", async () => {
  await consumer.stop();
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const stopping = await start(async () => {
    begun.resolve();
    await gate.promise;
  });
  await say("begun");
  await begun.promise;
  const heard = new Set<string>();
  consumer = await start((word) => heard.add(word));
  // They are given events in turn, once both have asked for some.
  let said = 0;
  while (heard.size === 0) await say(`shared-${said++}`);
  // What is on its way when a consumer stops reaches nobody.
  await (await mesh.bus("reader")).nc.flush();
  const since = performance.now();
  gate.resolve();
  await stopping.stop();
  await until(
    () => heard.size,
    (size) => size === said,
  );
  expect(performance.now() - since).toBeLessThan(soonMs);
  await consumer.stop();
  consumer = await start();
}, 60_000);

test("an event that comes just after a consumer has stopped is not given to it", async () => {
  const since = performance.now();
  for (let i = 0; i < 20; i++) {
    await consumer.stop();
    const word = `after-${i}`;
    const heard = new Promise<void>((resolve) => (hear = (said) => void (said === word && resolve())));
    await say(word);
    consumer = await start();
    await heard;
  }
  expect(performance.now() - since).toBeLessThan(soonMs);
}, 60_000);
