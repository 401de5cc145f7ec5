import { expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { type ReconcilerOptions, startReconciler } from "./reconcile.ts";

function reconcilerForTest(o: Partial<ReconcilerOptions>) {
  const clock = manualClock();
  const reconciler = startReconciler({
    name: "test",
    list: async () => [],
    reconcile: async () => {},
    resyncMs: 60_000,
    concurrency: 2,
    backoffMs: (attempt) => attempt * 1000,
    clock,
    log: silentLogger,
    ...o,
  });
  return { clock, ...reconciler, [Symbol.asyncDispose]: () => reconciler.stop() };
}

const settled = async () => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("keys found at the start and by every resync are reconciled, also when every wake is lost", async () => {
  const seen: string[] = [];
  let keys = ["a", "b"];
  await using r = reconcilerForTest({
    list: async () => keys,
    reconcile: async (key) => void seen.push(key),
  });
  await settled();
  expect(seen).toEqual(["a", "b"]);
  keys = ["c"];
  await r.clock.advance(60_000);
  await settled();
  expect(seen).toEqual(["a", "b", "c"]);
});

test("wakes during a run cause exactly one more run, never two at once", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let started = 0;
  let most = 0;
  let atOnce = 0;
  await using r = reconcilerForTest({
    reconcile: async () => {
      most = Math.max(most, ++atOnce);
      await gates[started++]?.promise;
      atOnce--;
    },
  });
  r.wake("a");
  r.wake("a");
  await settled();
  expect(started).toBe(1);
  for (let i = 0; i < 5; i++) r.wake("a");
  await settled();
  expect(started).toBe(1);
  gates[0]?.resolve();
  await settled();
  expect(started).toBe(2);
  gates[1]?.resolve();
  await settled();
  expect({ started, most }).toEqual({ started: 2, most: 1 });
});

test("no more keys are worked on at once than allowed", async () => {
  let atOnce = 0;
  let most = 0;
  let done = 0;
  const all = Promise.withResolvers<void>();
  await using r = reconcilerForTest({
    reconcile: async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      if (++done === 20) all.resolve();
    },
  });
  for (let i = 0; i < 20; i++) r.wake(`k${i}`);
  await all.promise;
  expect(most).toBe(2);
});

test("a failing key waits longer each time, within its bound, and starts afresh after a success", async () => {
  let fails = true;
  const at: number[] = [];
  const from = manualClock().now();
  await using r = reconcilerForTest({
    resyncMs: 3000,
    reconcile: async () => {
      at.push(r.clock.now() - from);
      if (fails) throw new Error("no");
    },
  });
  await settled();
  r.wake("a");
  for (let i = 0; i < 16; i++) {
    await settled();
    await r.clock.advance(500);
  }
  await settled();
  expect(at).toEqual([0, 1000, 3000, 6000]);
  fails = false;
  await r.clock.advance(3000);
  await settled();
  fails = true;
  r.wake("a");
  await settled();
  await r.clock.advance(1000);
  await settled();
  expect(at.slice(4)).toEqual([9000, 11_000, 12_000]);
});

test("a key that is woken all the time does not keep the others from their turn", async () => {
  const seen: string[] = [];
  await using r = reconcilerForTest({
    concurrency: 1,
    reconcile: async (key) => {
      seen.push(key);
      if (key === "busy" && seen.length < 10) r.wake("busy");
    },
  });
  r.wake("busy");
  for (const key of ["a", "b", "c"]) r.wake(key);
  await settled();
  expect(seen.slice(0, 5)).toEqual(["busy", "a", "b", "c", "busy"]);
});

test("a key that fails and wakes itself backs off, and its failures hold up nobody", async () => {
  const seen: string[] = [];
  await using r = reconcilerForTest({
    concurrency: 1,
    reconcile: async (key) => {
      seen.push(key);
      if (key !== "bad") return;
      r.wake("bad");
      throw new Error("no");
    },
  });
  r.wake("bad");
  for (const key of ["a", "b"]) r.wake(key);
  await settled();
  expect(seen).toEqual(["bad", "a", "b"]);
  await r.clock.advance(1000);
  await settled();
  expect(seen).toEqual(["bad", "a", "b", "bad"]);
});

test("the resync does not cut a back-off short, a wake does", async () => {
  let runs = 0;
  await using r = reconcilerForTest({
    list: async () => ["a"],
    backoffMs: () => 50_000,
    resyncMs: 40_000,
    reconcile: async () => {
      runs++;
      throw new Error("no");
    },
  });
  await settled();
  await r.clock.advance(39_999);
  await settled();
  expect(runs).toBe(1);
  r.wake("a");
  await settled();
  expect(runs).toBe(2);
});

test("a key that asks for another look gets it at its time", async () => {
  let runs = 0;
  await using r = reconcilerForTest({ reconcile: async () => (++runs < 3 ? { again: 700 } : undefined) });
  r.wake("a");
  await settled();
  await r.clock.advance(699);
  await settled();
  expect(runs).toBe(1);
  await r.clock.advance(1);
  await settled();
  expect(runs).toBe(2);
  await r.clock.advance(700);
  await settled();
  await r.clock.advance(10_000);
  await settled();
  expect({ runs, sleepers: r.clock.sleepers() }).toEqual({ runs: 3, sleepers: 1 });
});

test("a key that asks to be left alone for long is looked at with every resync all the same", async () => {
  let runs = 0;
  await using r = reconcilerForTest({
    list: async () => ["a"],
    reconcile: async () => (runs++, { again: 600_000 }),
  });
  await settled();
  await r.clock.advance(60_000);
  await settled();
  expect(runs).toBe(2);
});

test("a list that fails is asked again", async () => {
  let asked = 0;
  const seen: string[] = [];
  await using r = reconcilerForTest({
    list: async () => {
      if (++asked === 1) throw new Error("the database is away");
      return ["a"];
    },
    reconcile: async (key) => void seen.push(key),
  });
  await settled();
  await r.clock.advance(60_000);
  await settled();
  expect(seen).toEqual(["a"]);
});

test("stop aborts what runs, waits for it, and starts nothing more", async () => {
  const events: string[] = [];
  const r = reconcilerForTest({
    concurrency: 1,
    reconcile: async (key, signal) => {
      events.push(`begin ${key}`);
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await settled();
      events.push(`end ${key}`);
    },
  });
  r.wake("a");
  r.wake("b");
  await settled();
  await r.stop();
  r.wake("c");
  await settled();
  expect(events).toEqual(["begin a", "end a"]);
  expect(r.clock.sleepers()).toBe(0);
});
