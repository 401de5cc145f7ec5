import { expect, test } from "bun:test";
import { join } from "node:path";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { systemClock } from "#shared/process/clock.ts";
import { startChild } from "#shared/testing/child.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { LeaseLost, type Run } from "./fence.ts";
import { aborted, queueForTest, runs, until } from "./fixtures.ts";

/** A write of the handler's own, in the fenced transaction. */
const write = (run: Run) =>
  run.fenced(async (tx) => {
    await tx`insert into job (queue, key, payload) values ('written', ${`by ${run.job.fence}`}, '{}')`;
  });

const asIs = (error: unknown) => error;

test("a worker that was paused past its lease cannot write, and sees its signal", async () => {
  await using q = await queueForTest();
  const begun = runs();
  // Its own clock stands still, as a paused process's does.
  const paused = manualClock(q.clock.now());
  const first = q.worker(
    async (run) => {
      begun.began(run);
      await aborted(run.signal);
      throw run.signal.reason;
    },
    { clock: paused },
  );
  await q.ask("a");
  const stale = await begun.next();
  await write(stale);
  const second = q.worker(async (run) => begun.began(run));
  await until(() => q.clock.sleepers() === 2);
  await q.clock.advance(60_000);
  const current = await begun.next();
  expect(current.job).toMatchObject({ key: "a", attempt: 2 });
  expect(current.job.fence).toBeGreaterThan(stale.job.fence);
  await second.stop();
  expect(stale.signal.aborted).toBe(false);
  expect(await write(stale).catch(asIs)).toBeInstanceOf(LeaseLost);
  await until(() => stale.signal.aborted);
  await first.stop();
  const written = await withTx(
    q.db,
    (tx) => tx<{ key: string }[]>`select key from job where queue = 'written'`,
  );
  expect(written.map(({ key }) => key)).toEqual([`by ${stale.job.fence}`]);
  expect(await q.stats()).toMatchObject({ depth: 0 });
});

test("the heartbeat keeps a job that takes longer than its lease", async () => {
  await using q = await queueForTest();
  const begun = runs();
  let count = 0;
  const handle = async (run: Run) => {
    count++;
    begun.began(run);
    await aborted(run.signal);
    run.signal.throwIfAborted();
  };
  q.worker(handle, { sweepMs: 5000 });
  q.worker(handle, { sweepMs: 5000 });
  await q.ask("a");
  const run = await begun.next();
  for (let i = 0; i < 20; i++) {
    const before = await leaseOf(q, "a");
    await q.clock.advance(10_000);
    await until(async () => (await leaseOf(q, "a")) > before);
  }
  expect({ count, aborted: run.signal.aborted }).toEqual({ count: 1, aborted: false });
});

async function leaseOf(q: Awaited<ReturnType<typeof queueForTest>>, key: string): Promise<number> {
  const [row] = await withTx(
    q.db,
    (tx) => tx<{ leaseUntil: Date }[]>`select lease_until from job where key = ${key}`,
  );
  return row?.leaseUntil.getTime() ?? 0;
}

test("the heartbeat notices that another worker has the job", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => {
    begun.began(run);
    await aborted(run.signal);
    throw run.signal.reason;
  });
  await q.ask("a");
  const run = await begun.next();
  await withTx(q.db, (tx) => tx`update job set fence = fence + 1`);
  await until(() => q.clock.sleepers() === 2);
  await q.clock.advance(10_000);
  await aborted(run.signal);
  expect(run.signal.reason).toBeInstanceOf(LeaseLost);
});

test("a stopping worker returns its leases: the successor need not wait, and no attempt is counted", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const first = q.worker(async (run) => {
    begun.began(run);
    await aborted(run.signal);
    throw run.signal.reason;
  });
  await q.ask("a");
  const run = await begun.next();
  await first.stop();
  expect(await write(run).catch(asIs)).toBeInstanceOf(LeaseLost);
  q.worker(async (next) => begun.began(next));
  expect((await begun.next()).job).toMatchObject({ key: "a", attempt: 1 });
});

test("stop does not wait for ever for a handler that ignores its signal, and fences it out", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  const first = q.worker(
    async (run) => {
      begun.began(run);
      await gate.promise;
    },
    { drainMs: 2000, leaseMs: 30_000 },
  );
  await q.ask("a");
  const run = await begun.next();
  const stopped = first.stop();
  await until(() => q.clock.sleepers() === 2);
  await q.clock.advance(2000);
  await stopped;
  expect(await write(run).catch(asIs)).toBeInstanceOf(LeaseLost);
  q.worker(async (next) => begun.began(next));
  expect((await begun.next()).job.key).toBe("a");
  gate.resolve();
});

test("a job that its workers never survive dies too", async () => {
  await using q = await queueForTest();
  const begun = runs();
  await q.ask("a");
  for (const attempt of [1, 2, 3]) {
    // Killed: never heard of again, but for the promise that the end of the test needs.
    const gate = Promise.withResolvers<void>();
    const killed = q.worker(
      async (run) => {
        begun.began(run);
        await gate.promise;
      },
      { clock: manualClock(q.clock.now()) },
    );
    expect((await begun.next()).job.attempt).toBe(attempt);
    await q.clock.advance(30_000);
    await withTx(q.db, (tx) => tx`update job set fence = nextval('job_fence')`);
    gate.resolve();
    await killed.stop();
  }
  q.worker(async (run) => begun.began(run));
  await until(async () => (await q.stats())?.dead === 1);
  const [row] = await withTx(q.db, (tx) => tx`select last_error, attempt from job`);
  expect(row).toEqual({ lastError: "the worker vanished", attempt: 3 });
});

test("after kill -9 of a worker's process another one runs the job when the lease is over", async () => {
  await using q = await queueForTest();
  await q.ask("a", { payload: { from: "before" } });
  const child = startChild(join(import.meta.dir, "worker.child.ts"), {
    WORKER_URL: q.pg.url,
    WORKER_HANDLER: "hang",
    WORKER_LEASE_MS: "1000",
  });
  expect(await child.next()).toBe("a 1");
  await child.kill();
  const killed = performance.now();
  const begun = runs();
  q.worker(async (run) => begun.began(run), { clock: systemClock, sweepMs: 20 });
  expect((await begun.next()).job).toMatchObject({ key: "a", attempt: 2, payload: { from: "before" } });
  expect(performance.now() - killed).toBeLessThan(3000);
});

test("a run that ends for want of the database is repeated and counts as no attempt", async () => {
  await using q = await queueForTest();
  const nowhere = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const url = new URL(q.pg.url);
  url.port = String(nowhere.port);
  nowhere.stop(true);
  const away = q.pg.connect({ url: url.href });
  const begun = runs();
  let failures = 5;
  q.worker(async (run) => {
    if (failures-- > 0) await withTx(away, (tx) => tx`select 1`);
    begun.began(run);
  });
  await q.ask("a");
  let next: Run | undefined;
  void begun.next().then((run) => (next = run));
  await until(async () => {
    await q.clock.advance(500);
    return next !== undefined;
  });
  expect(next?.job).toMatchObject({ key: "a", attempt: 1 });
  await until(async () => (await q.stats())?.depth === 0);
});

test("another service that is away is a failed attempt, whatever the cause is called", async () => {
  await using q = await queueForTest();
  q.worker(async () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    throw coreFault("service.unavailable", {}, { cause });
  });
  await q.ask("a");
  type Row = { attempt: number; lastError: string | null; dueAt: Date };
  const read = async () =>
    (await withTx(q.db, (tx) => tx<Row[]>`select attempt, last_error, due_at from job`))[0];
  await until(async () => (await read())?.lastError !== null);
  expect(await read()).toMatchObject({ attempt: 1, dueAt: new Date(q.clock.now() + 1000) });
});
