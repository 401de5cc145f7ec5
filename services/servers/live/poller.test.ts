import { expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { observation } from "../testing/observation.ts";
import type { Live } from "./live.ts";
import type { Observation } from "./observation.ts";
import { type Polled, startPoller } from "./poller.ts";

const server = (instanceId: string): Polled => ({
  instanceId,
  agent: { address: "http://agent", token: "t" },
  mine: true,
  resting: false,
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
  const state = { names, broken: o.broken ?? false, theirs: new Set<string>(), resting: new Set<string>() };
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
    learn: (id, told) => void seen.set(id, told),
    retain: (ids) => {
      for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    },
  };
  const poller = startPoller({
    targets: async () => {
      if (state.broken) throw new Error("no database");
      return state.names.map((name) => ({
        ...server(name),
        mine: !state.theirs.has(name),
        resting: state.resting.has(name),
      }));
    },
    live,
    clock,
    log: silentLogger,
    intervalMs: 5_000,
    concurrency: o.concurrency ?? 8,
    patienceMs: 250,
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
  // Each of the dead once before it was known, and once since.
  expect(poller.asked.filter((id) => dead.has(id))).toHaveLength(40);
});

test("five hundred agents that die at once make none of the living look away, and are not asked all at once", async () => {
  const clock = manualClock();
  const ttlMs = 15_000;
  const callMs = 2_000;
  const names = Array.from({ length: 520 }, (_, i) => (i % 26 === 0 ? `alive-${i}` : `dying-${i}`));
  const seen = new Map<string, Observation>();
  const state = { dead: false, underWay: 0, most: 0, oldest: 0 };
  const live: Live = {
    get: (id) => seen.get(id),
    learn: () => {},
    retain: () => {},
    refresh: async ({ instanceId: id }) => {
      const before = seen.get(id);
      state.most = Math.max(state.most, ++state.underWay);
      const dead = state.dead && id.startsWith("dying");
      if (dead) await clock.sleep(callMs);
      if (!dead && before) state.oldest = Math.max(state.oldest, clock.now() - before.endedAt);
      state.underWay--;
      const now = observation({ endedAt: clock.now(), ...(dead ? { seenAt: null } : {}) });
      seen.set(id, now);
      return now;
    },
  };
  const poller = startPoller({
    targets: async () => names.map(server),
    live,
    clock,
    log: silentLogger,
    intervalMs: 5_000,
    concurrency: 32,
    patienceMs: 250,
  });
  await poller.first;
  state.dead = true;
  for (let second = 0; second < 40; second++) await clock.advance(1_000);
  expect(state.oldest).toBeLessThan(ttlMs);
  expect(state.most).toBeLessThanOrEqual(((32 + 8) * callMs) / 250);
  state.dead = false;
  const stopping = poller.stop();
  await clock.advance(callMs);
  await stopping;
});

test("what another replica asks is asked here at the start alone; a stopped host seldom", async () => {
  await using poller = pollerForTest(["mine", "theirs", "stopped"]);
  poller.state.theirs.add("theirs");
  await poller.first;
  expect(poller.asked).toHaveLength(3);
  poller.state.resting.add("stopped");
  for (let round = 0; round < 6; round++) {
    await poller.clock.advance(5_000);
    await settled();
  }
  const times = (name: string) => poller.asked.filter((id) => id === name).length;
  expect([times("mine"), times("theirs"), times("stopped")]).toEqual([7, 1, 2]);
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
