import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { defineContract } from "#shared/contract/define.ts";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { broadcast, onBroadcast } from "./broadcast.ts";
import { closeBus, connectBus, type Bus } from "./connect.ts";

const member = <const S extends string>(service: S) =>
  defineContract({
    service,
    version: "1.0.0",
    calls: [],
    consumes: [],
    routes: {},
    events: {},
    broadcasts: {
      heard: {
        subject: `bct.${service}.v1.word.heard`,
        summary: "A word",
        data: z.object({ word: z.string() }),
      },
    },
  });
const town = member("town");
const village = member("village");

let mesh: Mesh;
let other: Bus;
const logged: string[] = [];
beforeAll(async () => {
  mesh = await meshForTest([town, village]);
  const log: Logger = { ...silentLogger, error: (_, message) => void logged.push(message) };
  other = await connectBus({
    name: "town",
    url: mesh.server.url,
    user: "town",
    password: "town-password",
    log,
  });
});
afterAll(async () => {
  await closeBus(other);
  await mesh[Symbol.asyncDispose]();
});

/** What one connection hears, and the words it waits for. */
function listener(bus: Bus) {
  const heard: string[] = [];
  const waiting: { word: string; resolve: () => void }[] = [];
  const subscription = onBroadcast(bus, town, "heard", ({ word }) => {
    heard.push(word);
    for (const { resolve } of waiting.filter((w) => w.word === word)) resolve();
  });
  const until = (word: string) =>
    new Promise<void>((resolve) => {
      if (heard.includes(word)) return resolve();
      waiting.push({ word, resolve });
    });
  return { heard, until, ...subscription };
}

describe("a broadcast", () => {
  test("reaches every replica of the service, the speaker too, and nobody after stop()", async () => {
    const bus = await mesh.bus("town");
    const [first, second] = [listener(bus), listener(other)];
    await Promise.all([bus.nc.flush(), other.nc.flush()]);
    broadcast(bus, town, "heard", { word: "one" });
    await Promise.all([first.until("one"), second.until("one")]);
    first.stop();
    broadcast(other, town, "heard", { word: "two" });
    await second.until("two");
    await bus.nc.flush();
    expect(first.heard).toEqual(["one"]);
    second.stop();
  });

  test("of another service is neither heard nor made", async () => {
    const bus = await mesh.bus("village");
    const stolen: unknown[] = [];
    // A refused subscription calls back once, with the refusal.
    const refused = new Promise<Error>((resolve) => {
      bus.nc.subscribe("bct.town.>", {
        callback: (err, message) => (err ? resolve(err) : stolen.push(message)),
      });
    });
    const own = listener(other);
    await Promise.all([other.nc.flush(), bus.nc.flush()]);
    bus.nc.publish("bct.town.v1.word.heard", JSON.stringify({ word: "forged" }));
    await bus.nc.flush();
    broadcast(other, town, "heard", { word: "real" });
    await own.until("real");
    expect(own.heard).toEqual(["real"]);
    expect(String(await refused)).toContain("Permissions Violation");
    expect(stolen).toEqual([]);
    own.stop();
  });

  test("that cannot be read is dropped with a line in the log, and the next one is heard", async () => {
    const own = listener(other);
    await other.nc.flush();
    other.nc.publish("bct.town.v1.word.heard", "{");
    other.nc.publish("bct.town.v1.word.heard", JSON.stringify({ word: 7 }));
    broadcast(other, town, "heard", { word: "fine" });
    await own.until("fine");
    expect(own.heard).toEqual(["fine"]);
    expect(logged.filter((line) => line === "a broadcast was dropped")).toHaveLength(2);
    own.stop();
  });
});
