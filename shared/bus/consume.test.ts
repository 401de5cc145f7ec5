import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Contract } from "#shared/contract/define.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
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
  const reaction = on(sample, "said", async ({ data }) => hear(data.word));
  const bus = await mesh.bus("reader");
  consumer = consume({ bus, reaction, clock: systemClock, log: silentLogger, retryMs: 20 });
});
afterAll(async () => {
  await consumer.stop();
  await mesh[Symbol.asyncDispose]();
});

const allBack = () => Promise.all(buses.map(({ link }) => link.whenUp(new AbortController().signal)));

/** Publishes a word and resolves when the reaction hears it. */
async function arrives(word: string): Promise<void> {
  const heard = new Promise<void>((resolve) => (hear = (said) => void (said === word && resolve())));
  const body = { id: `evt_${word}`, key: word, version: 1, at: new Date(0).toISOString(), data: { word } };
  const events = publisher(await mesh.bus("sample"));
  await events.publish(`${sample.events.said.subject}.${word}`, body.id, JSON.stringify(body));
  await heard;
}

test("a reaction hears of events again after each crash of the server, and after the loss of its store", async () => {
  await arrives("before");
  for (const word of ["one", "two", "three"]) {
    await mesh.server.kill();
    await mesh.server.restart();
    await allBack();
    await arrives(word);
  }
  await mesh.server.kill();
  mesh.server.forget();
  await mesh.server.restart();
  await allBack();
  await ensureStreams(await mesh.bus("admin"), [sample, reader]);
  await arrives("four");
}, 20_000);

test("while the bus is away a publish is refused at once", async () => {
  const events = publisher(await mesh.bus("sample"), 60_000);
  await mesh.server.kill();
  const refusal = (answer: Promise<unknown>) => answer.catch((error: unknown) => error);
  const away = { code: "service.unavailable", status: 503 };
  expect(await refusal(events.publish("evt.sample.v1.word.said.x", "evt_x", "{}"))).toMatchObject(away);
  expect(await refusal(events.streamCreated())).toMatchObject(away);
  await mesh.server.restart();
  await allBack();
  expect(await events.streamCreated()).toMatch(/^\d{4}-/);
}, 20_000);
