import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { enqueue, enqueueAll } from "./enqueue.ts";
import { aborted, queueForTest, runs, until } from "./fixtures.ts";

test("a job runs once and is forgotten", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const worker = q.worker(async (run) => begun.began(run));
  await q.ask("a", { payload: { size: 3 } });
  const { job } = await begun.next();
  expect(job).toMatchObject({ queue: "jobs", key: "a", payload: { size: 3 }, attempt: 1 });
  await worker.stop();
  expect(await q.stats()).toMatchObject({ depth: 0, dead: 0, lastSuccessAt: new Date(q.clock.now()) });
});

test("work asked for in a transaction that fails is not done", async () => {
  await using q = await queueForTest();
  const failing = withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a" });
    throw new Error("changed my mind");
  });
  expect(await failing.catch(String)).toBe("Error: changed my mind");
  expect(await q.stats()).toMatchObject({ depth: 0 });
});

test("a waiting job is joined: one run, with the newer payload, at the earlier time", async () => {
  await using q = await queueForTest();
  const first = await q.ask("a", { payload: { n: 1 }, runAt: new Date(q.clock.now() + 60_000) });
  const second = await q.ask("a", { payload: { n: 2 }, runAt: new Date(q.clock.now() + 1000) });
  const third = await q.ask("a", { payload: { n: 3 }, runAt: new Date(q.clock.now() + 90_000) });
  expect([second, third]).toEqual([first, first]);
  const begun = runs();
  const worker = q.worker(async (run) => begun.began(run));
  await q.idle();
  await q.clock.advance(1000);
  expect((await begun.next()).job.payload).toEqual({ n: 3 });
  await worker.stop();
  expect(await q.stats()).toMatchObject({ depth: 0 });
});

test("asking many times while a key runs causes exactly one more run, after the first", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  let atOnce = 0;
  let most = 0;
  let count = 0;
  const worker = q.worker(async (run) => {
    most = Math.max(most, ++atOnce);
    begun.began(run);
    if (++count === 1) await gate.promise;
    atOnce--;
  });
  await q.ask("a", { payload: { n: 0 } });
  await begun.next();
  await Promise.all([1, 2, 3, 4].map(() => q.ask("a", { payload: { n: 1 } })));
  await q.ask("a", { payload: { n: 5 } });
  expect(await q.stats()).toMatchObject({ depth: 1 });
  gate.resolve();
  expect((await begun.next()).job).toMatchObject({ payload: { n: 5 }, attempt: 1 });
  await worker.stop();
  expect({ count, most, stats: await q.stats() }).toMatchObject({ count: 2, most: 1, stats: { depth: 0 } });
});

test("a failed job waits for its back-off, dies after its attempts, and lives again when asked for", async () => {
  await using q = await queueForTest();
  const begun = runs();
  let broken = true;
  const worker = q.worker(async (run) => {
    begun.began(run);
    if (broken) throw new Error("no such host: postgres://me:secret@host/");
  });
  await q.ask("a");
  for (const attempt of [1, 2, 3]) {
    expect((await begun.next()).job.attempt).toBe(attempt);
    await q.idle();
    await q.clock.advance(attempt * 1000);
  }
  await until(async () => (await q.stats())?.dead === 1);
  expect(await q.stats()).toMatchObject({ depth: 0, lastSuccessAt: null });
  const [row] = await withTx(q.db, (tx) => tx<{ lastError: string }[]>`select last_error from job`);
  expect(row?.lastError).toBe("Error: no such host: postgres://me:[redacted]@host/");
  broken = false;
  await q.ask("a");
  expect((await begun.next()).job.attempt).toBe(1);
  await worker.stop();
  expect(await q.stats()).toMatchObject({ depth: 0, dead: 0 });
});

test("asking for a job that backs off runs it at once, with all its attempts", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => {
    begun.began(run);
    throw new Error("again and again");
  });
  await q.ask("a");
  await begun.next();
  await q.idle();
  await q.ask("a");
  expect((await begun.next()).job.attempt).toBe(1);
});

test("a run that asks to be run again does not count as a failed attempt", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const worker = q.worker(async (run) => {
    begun.began(run);
    return { again: 500 };
  });
  await q.ask("a");
  for (let i = 0; i < 8; i++) {
    expect((await begun.next()).job.attempt).toBe(1);
    await q.idle();
    await q.clock.advance(500);
  }
  await worker.stop();
  expect(await q.stats()).toMatchObject({ dead: 0, depth: 1 });
});

test("no more handlers run at once than allowed, and a full worker is refilled as they end", async () => {
  await using q = await queueForTest();
  let atOnce = 0;
  let most = 0;
  let done = 0;
  q.worker(
    async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      done++;
    },
    { concurrency: 7 },
  );
  const keys = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}` }));
  await withTx(q.db, (tx) => enqueueAll(tx, "jobs", keys));
  await until(() => done === 100);
  expect(most).toBe(7);
});

test("several workers share a queue: every job runs once", async () => {
  await using q = await queueForTest();
  const seen: string[] = [];
  const workers = [1, 2, 3].map(() =>
    q.worker(async (run) => void seen.push(run.job.key), { concurrency: 5 }),
  );
  const keys = Array.from({ length: 300 }, (_, i) => ({ key: `k${i}` }));
  await withTx(q.db, (tx) => enqueueAll(tx, "jobs", [...keys, { key: "k0" }]));
  await until(() => seen.length >= 300);
  await Promise.all(workers.map((worker) => worker.stop()));
  expect(seen.toSorted()).toEqual(keys.map(({ key }) => key).toSorted());
  expect(await q.stats()).toMatchObject({ depth: 0 });
});

test("when the wake is lost, the sweep finds the work", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => begun.began(run));
  await q.idle();
  await q.askSilently("a");
  await q.clock.advance(60_000);
  expect((await begun.next()).job.key).toBe("a");
});

test("a clock that is put back keeps no worker from looking", async () => {
  await using q = await queueForTest();
  const begun = runs();
  let backMs = 0;
  const clock = { ...q.clock, now: () => q.clock.now() - backMs };
  q.worker(async (run) => begun.began(run), { clock, sweepMs: 1000 });
  await until(() => q.clock.sleepers() === 2);
  await q.askSilently("a");
  backMs = 3_600_000;
  await q.clock.advance(1000);
  expect((await begun.next()).job.key).toBe("a");
});

test("work is announced on the bus, and an announcement wakes the worker", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const announced: string[] = [];
  let wake: (() => void) | undefined;
  let subscribed = 0;
  const worker = q.worker(async (run) => begun.began(run), {
    wake: {
      notify: (queue) => void announced.push(queue),
      subscribe: (_, fn) => {
        subscribed++;
        wake = fn;
        return () => void subscribed--;
      },
    },
  });
  // Asked for at a certain time, so that no hand of this process is kept for it.
  await q.ask("a", { runAt: new Date(q.clock.now() - 1) });
  await begun.next();
  expect(announced).toEqual(["jobs"]);
  await q.idle();
  await q.askSilently("b");
  wake?.();
  expect((await begun.next()).job.key).toBe("b");
  await worker.stop();
  expect(subscribed).toBe(0);
});

test("a job that ends while its row is locked by someone who asks again is settled afterwards", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const worker = q.worker(async (run) => begun.began(run));
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let slow: Promise<void> | undefined;
  const first = q.worker(
    async () => {
      slow = withTx(q.db, async (tx) => {
        await enqueue(tx, { queue: "slow", key: "a", payload: { late: true } });
        asked.resolve();
        await gate.promise;
      });
      await asked.promise;
    },
    { queue: "slow", concurrency: 1 },
  );
  await withTx(q.db, (tx) => enqueue(tx, { queue: "slow", key: "a" }));
  await asked.promise;
  // The worker is not held up by the locked row: other jobs of its process go on.
  await q.ask("b");
  expect((await begun.next()).job.key).toBe("b");
  const ended = first.stop();
  gate.resolve();
  await slow;
  await ended;
  await worker.stop();
  const [row] = await withTx(q.db, (tx) => tx`select lease_until, payload from job where queue = 'slow'`);
  expect(row).toEqual({ leaseUntil: null, payload: { late: true } });
});

test("after the database was cut off, the worker goes on", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const worker = q.worker(
    async (run) => {
      begun.began(run);
      await aborted(run.signal).then(() => run.signal.throwIfAborted());
    },
    { sweepMs: 1000, concurrency: 1 },
  );
  await q.ask("a");
  const run = await begun.next();
  expect(await q.pg.cutConnections()).toBeGreaterThan(0);
  await until(async () => {
    await q.clock.advance(1000);
    return run.fenced(async () => true).catch(() => false);
  });
  expect(run.signal.aborted).toBe(false);
  await worker.stop();
  expect(await q.stats()).toMatchObject({ depth: 1, dead: 0 });
});
