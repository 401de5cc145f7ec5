import { expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { observation } from "../testing/observation.ts";
import type { Asked, Live } from "./live.ts";
import type { Observation } from "./observe.ts";
import { startPoller } from "./poller.ts";

const server = (instanceId: string): Asked => ({
  instanceId,
  agent: { address: "http://agent", token: "t" },
});
const settled = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A poller of `names`, over agents of which those in `dead` never answer until released. */
function pollerForTest(
  names: string[],
  o: { dead?: Set<string>; chance?: () => number; concurrency?: number; broken?: boolean } = {},
) {
  const clock = manualClock();
  const seen = new Map<string, Observation>();
  const asked: string[] = [];
  const stuck = Promise.withResolvers<void>();
  const state = { names, broken: o.broken ?? false };
  const live: Live = {
    get: (id) => seen.get(id),
    refresh: async ({ instanceId }) => {
      asked.push(instanceId);
      const dead = o.dead?.has(instanceId);
      if (dead && seen.has(instanceId)) await stuck.promise;
      const now = observation({ endedAt: clock.now(), ...(dead ? { seenAt: null } : {}) });
      seen.set(instanceId, now);
      return now;
    },
    retain: (ids) => {
      for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    },
  };
  const poller = startPoller({
    targets: async () => {
      if (state.broken) throw new Error("no database");
      return state.names.map(server);
    },
    live,
    clock,
    log: silentLogger,
    intervalMs: 5_000,
    concurrency: o.concurrency ?? 8,
    chance: o.chance ?? (() => 0),
  });
  const stop = () => {
    stuck.resolve();
    return poller.stop();
  };
  return { ...poller, clock, asked, seen, state, [Symbol.asyncDispose]: stop };
}

test("every server is asked at the start, and then once per interval", async () => {
  await using poller = pollerForTest(["a", "b"]);
  await poller.first;
  expect(poller.asked).toEqual(["a", "b"]);
  await poller.clock.advance(4_999);
  await settled();
  expect(poller.asked).toHaveLength(2);
  await poller.clock.advance(1);
  await settled();
  expect(poller.asked).toEqual(["a", "b", "a", "b"]);
});

test("after the first round the questions are spread over a fifth of the interval", async () => {
  const delays = [0.5, 1];
  await using poller = pollerForTest(["a", "b"], { chance: () => delays.shift() ?? 0 });
  await poller.first;
  await poller.clock.advance(5_000);
  await settled();
  expect(poller.asked).toHaveLength(2);
  await poller.clock.advance(500);
  await settled();
  expect(poller.asked.slice(2)).toEqual(["a"]);
  await poller.clock.advance(500);
  await settled();
  expect(poller.asked.slice(2)).toEqual(["a", "b"]);
});

test("dead agents keep nobody waiting, and none of them is asked twice at once", async () => {
  const dead = new Set(Array.from({ length: 20 }, (_, i) => `dead-${i}`));
  await using poller = pollerForTest([...dead, "alive"], { dead, concurrency: 4 });
  await poller.first;
  for (let round = 0; round < 3; round++) {
    await poller.clock.advance(5_000);
    await settled();
  }
  expect(poller.asked.filter((id) => id === "alive")).toHaveLength(4);
  expect(poller.asked.filter((id) => dead.has(id))).toHaveLength(21);
});

test("new servers are asked, and those that are gone forgotten", async () => {
  await using poller = pollerForTest(["a"]);
  await poller.first;
  poller.state.names = ["b"];
  await poller.clock.advance(5_000);
  await settled();
  expect([...poller.seen.keys()]).toEqual(["b"]);
  expect(poller.asked).toEqual(["a", "b"]);
});

test("while the database is away the servers known before are asked; one away from the beginning is waited for", async () => {
  await using poller = pollerForTest(["a"]);
  await poller.first;
  poller.state.broken = true;
  await poller.clock.advance(5_000);
  await settled();
  expect(poller.asked).toEqual(["a", "a"]);

  await using late = pollerForTest(["a"], { broken: true });
  await settled();
  late.state.broken = false;
  await late.clock.advance(5_000);
  await late.first;
  expect(late.asked).toEqual(["a"]);
});
