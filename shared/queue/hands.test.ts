import { expect, test } from "bun:test";
import { single, withTx } from "#shared/db/tx.ts";
import { enqueue, enqueueNow } from "./enqueue.ts";
import { type QueueFixture, queueForTest, runs, until } from "./fixtures.ts";
import { freeHand, type Hand } from "./hands.ts";
import type { Run } from "./fence.ts";
import { turn } from "./store.ts";

type Row = { key: string; holder: string | null; attempt: number; leased: boolean };
const rows = (q: QueueFixture) =>
  withTx(
    q.db,
    (tx) => tx<Row[]>`select key, holder, attempt, lease_until is not null as leased from job order by key`,
  );

test("a job that is asked for where a worker rests is the worker's own at once", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(async (run) => {
    begun.began(run);
    await gate.promise;
  });
  await until(() => q.clock.sleepers() === 2);
  await withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a", payload: { at: new Date(0), none: undefined } });
    const [row] = await tx<Row[]>`select attempt, lease_until is not null as leased from job`;
    expect(row).toMatchObject({ attempt: 1, leased: true });
  });
  const { job } = await begun.next();
  expect(job).toMatchObject({ queue: "jobs", key: "a", attempt: 1 });
  expect(job.payload).toEqual({ at: "1970-01-01T00:00:00.000Z" });
  gate.resolve();
  await until(async () => (await q.stats())?.depth === 0);
});

test("no more are kept than there are hands, and the others wait", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(
    async (run) => {
      begun.began(run);
      await gate.promise;
    },
    { concurrency: 2 },
  );
  await until(() => q.clock.sleepers() === 2);
  await enqueueNow(
    q.db,
    "jobs",
    ["a", "b", "c"].map((key) => ({ key })),
  );
  expect([(await begun.next()).job.key, (await begun.next()).job.key]).toEqual(["a", "b"]);
  expect((await rows(q)).map(({ key, leased }) => [key, leased])).toEqual([
    ["a", true],
    ["b", true],
    ["c", false],
  ]);
  gate.resolve();
  expect((await begun.next()).job.key).toBe("c");
  await until(async () => (await q.stats())?.depth === 0);
});

test("a worker whose hands are full leaves the others in the queue", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  const worker = q.worker(
    async (run) => {
      begun.began(run);
      await gate.promise;
    },
    { concurrency: 1 },
  );
  await until(() => q.clock.sleepers() === 2);
  await withTx(q.db, async (tx) => {
    await tx`insert into job (queue, key, payload) values ('jobs', 'b', '{}')`;
    await enqueue(tx, { queue: "jobs", key: "a" });
  });
  expect((await begun.next()).job.key).toBe("a");
  worker.wake();
  await q.clock.advance(60_000);
  expect((await rows(q)).map(({ key, leased }) => [key, leased])).toEqual([
    ["a", true],
    ["b", false],
  ]);
  gate.resolve();
  expect((await begun.next()).job.key).toBe("b");
  await until(async () => (await q.stats())?.depth === 0);
});

test("a job that finds the hand taken which was kept for it goes back if none becomes free", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  const handle = async (run: Run) => {
    begun.began(run);
    await gate.promise;
  };
  q.worker(handle, { concurrency: 1 });
  await until(() => q.clock.sleepers() === 2);
  await q.askSilently("b");
  const other = freeHand(q.db, "jobs", "other");
  let hand: Hand | undefined;
  await withTx(q.db, async (tx) => {
    // While the table is locked, the worker's look at the queue is under way.
    await tx`lock table job`;
    other?.drop(false);
    await until(async () => (await blocked(q)) === 1);
    hand = freeHand(q.db, "jobs", "a");
  });
  expect((await begun.next()).job.key).toBe("b");
  const until30s = new Date(q.clock.now() + 30_000);
  const [written] = await withTx(
    q.db,
    (tx) => tx<{ fence: number }[]>`
      insert into job (queue, key, payload, attempt, holder, lease_until)
      values ('jobs', 'a', '{}', 1, ${hand?.holder ?? null}, ${until30s}) returning fence`,
  );
  hand?.begin({ id: "1", queue: "jobs", key: "a", payload: {}, attempt: 1, fence: written?.fence ?? 0 });
  await until(async () => {
    await q.clock.advance(100);
    return (await rows(q))[0]?.leased === false;
  });
  expect((await rows(q))[0]).toEqual({ key: "a", holder: null, attempt: 0, leased: false });
  gate.resolve();
  const next = begun.next();
  let came = false;
  void next.then(() => (came = true));
  await until(() => {
    if (!came) expect(freeHand(q.db, "jobs", "c")).toBeUndefined();
    return came;
  });
  expect((await next).job).toMatchObject({ key: "a", attempt: 1 });
  await until(async () => (await q.stats())?.depth === 0);
});

async function blocked(q: QueueFixture): Promise<number> {
  const found = await withTx(
    q.db,
    (tx) => tx`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
  );
  return found.length;
}

test("a transaction that is rolled back gives the hand back", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => begun.began(run), { concurrency: 1 });
  await until(() => q.clock.sleepers() === 2);
  const failing = withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a" });
    throw new Error("changed my mind");
  });
  expect(await failing.catch(String)).toBe("Error: changed my mind");
  await q.ask("b");
  expect((await begun.next()).job.key).toBe("b");
  await until(async () => (await q.stats())?.depth === 0);
});

test("a waiting job that is joined goes its own way, with one run", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const at = new Date(q.clock.now() + 60_000);
  await q.ask("a", { payload: { n: 1 }, runAt: at });
  q.worker(async (run) => begun.began(run));
  await until(() => q.clock.sleepers() === 2);
  await q.ask("a", { payload: { n: 2 } });
  expect((await begun.next()).job).toMatchObject({ payload: { n: 2 }, attempt: 1 });
  await until(async () => (await q.stats())?.depth === 0);
});

test("a worker that stops while a job is being asked for leaves it to its successor", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const first = q.worker(async (run) => begun.began(run));
  await until(() => q.clock.sleepers() === 2);
  let stopped: Promise<void> | undefined;
  await withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a" });
    stopped = first.stop();
  });
  await stopped;
  expect([...(await rows(q))]).toEqual([{ key: "a", holder: null, attempt: 0, leased: false }]);
  q.worker(async (run) => begun.began(run));
  expect((await begun.next()).job).toMatchObject({ key: "a", attempt: 1 });
});

test("a claim whose answer was lost is found by the worker that made it, at once; others wait for the lease", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const o = { queue: "jobs", limit: 5, except: [], now: q.clock.now(), leaseMs: 30_000, maxAttempts: 3 };
  const look = async (holder: string, except: string[] = []) => {
    const [found] = await single(q.db, (sql) =>
      turn(sql, { ...o, holder, except, outcomes: [], hungry: true }),
    );
    return found?.claimed?.map(({ key, attempt }) => [key, attempt]);
  };
  expect(await look("mine")).toEqual([["a", 1]]);
  expect(await look("another")).toEqual([]);
  expect(await look("mine", ["a"])).toEqual([]);
  expect(await look("mine")).toEqual([["a", 1]]);
});

test("what was asked for as a worker's own is forgotten only when the worker says so", async () => {
  await using q = await queueForTest();
  const now = q.clock.now();
  await withTx(
    q.db,
    (tx) => tx`
      insert into job (queue, key, payload, attempt, holder, lease_until)
      values ('jobs', 'a', '{}', 1, 'mine*', ${new Date(now + 30_000)})`,
  );
  const o = { queue: "jobs", holder: "mine", limit: 5, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
  const look = async (doubtful: string[]) => {
    const [found] = await single(q.db, (sql) => turn(sql, { ...o, doubtful, outcomes: [], hungry: true }));
    return found?.claimed?.map(({ key, attempt }) => [key, attempt]);
  };
  expect(await look([])).toEqual([]);
  expect(await look(["a"])).toEqual([["a", 1]]);
});

test("a worker that is not hungry takes nothing, but learns that what ended brought work", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const o = { queue: "jobs", holder: "w", limit: 1, now: q.clock.now(), leaseMs: 30_000, maxAttempts: 3 };
  const next = async (given: Partial<Parameters<typeof turn>[1]>) => {
    const [found] = await single(q.db, (sql) =>
      turn(sql, { ...o, except: [], outcomes: [], hungry: false, ...given }),
    );
    if (!found) throw new Error("a turn without an answer");
    return found;
  };
  expect(await next({})).toMatchObject({ claimed: null, kept: false });
  const [job] = (await next({ hungry: true })).claimed ?? [];
  const done = { key: "a", fence: job?.fence ?? 0, kind: "done" as const, at: 0, error: null };
  await q.ask("a");
  expect(await next({ outcomes: [done] })).toMatchObject({ settled: ["a"], kept: true, claimed: null });
  expect((await next({ hungry: true })).claimed).toMatchObject([{ key: "a", attempt: 1 }]);
  expect(await next({ outcomes: [done] })).toMatchObject({ settled: [], kept: false });
});

test("what asks in a transaction that is over keeps no hand", async () => {
  await using q = await queueForTest();
  q.worker(async () => {}, { concurrency: 1 });
  await until(() => q.clock.sleepers() === 2);
  const over = Promise.withResolvers<void>();
  const late = await withTx(q.db, async (tx) => ({
    asked: over.promise.then(() => enqueue(tx, { queue: "jobs", key: "a" })),
  }));
  over.resolve();
  expect(await late.asked.catch((error: unknown) => error)).toBeInstanceOf(Error);
  const hand = freeHand(q.db, "jobs", "b");
  expect(hand).toBeDefined();
  hand?.drop(false);
});
