import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { enqueue, enqueueAll } from "./enqueue.ts";
import { queueForTest, until } from "./fixtures.ts";
import { claim, settle } from "./store.ts";

test("settling a row that somebody changes meanwhile takes the change into account", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const now = q.clock.now();
  const take = { queue: "jobs", holder: "w", limit: 1, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
  const { jobs } = await withTx(q.db, (tx) => claim(tx, take));
  const outcomes = jobs.map(({ key, fence }) => ({
    key,
    fence,
    kind: "done" as const,
    at: now,
    error: null,
  }));
  const end = { queue: "jobs", outcomes, now, maxAttempts: 3 };
  const locked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const asking = withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a", payload: { late: true } });
    locked.resolve();
    await gate.promise;
  });
  await locked.promise;
  expect(await withTx(q.db, (tx) => settle(tx, { ...end, skipLocked: true }))).toEqual([]);
  const settling = withTx(q.db, (tx) => settle(tx, { ...end, skipLocked: false }));
  await until(() =>
    withTx(q.db, async (tx) => {
      const blocked =
        await tx`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      return blocked.length > 0;
    }),
  );
  gate.resolve();
  await asking;
  expect(await settling).toEqual(["a"]);
  const [row] = await withTx(q.db, (tx) => tx`select lease_until, payload, rerun_at, attempt from job`);
  expect(row).toEqual({ leaseUntil: null, payload: { late: true }, rerunAt: null, attempt: 0 });
});

test("an idle queue says when its next job is due, and a full claim is in order of time", async () => {
  await using q = await queueForTest();
  const now = q.clock.now();
  await q.ask("late", { runAt: new Date(now + 5000) });
  await q.ask("second", { runAt: new Date(now - 1000) });
  await q.ask("first", { runAt: new Date(now - 2000) });
  const take = { queue: "jobs", limit: 1, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
  let claims = 0;
  const next = async () =>
    (await withTx(q.db, (tx) => claim(tx, { ...take, holder: `worker ${++claims}` }))).jobs[0]?.key;
  expect([await next(), await next(), await next()]).toEqual(["first", "second", undefined]);
});

const held = (key: string, fence: number) => ({ key, fence, kind: "done" as const, at: 0, error: null });

for (const skipLocked of [false, true])
  test(`an end is written for the row as it is after a heartbeat in between (skipLocked ${skipLocked})`, async () => {
    await using q = await queueForTest();
    const now = q.clock.now();
    const key = Array.from({ length: 200 }, (_, i) => `k${i}`);
    await withTx(q.db, (tx) =>
      enqueueAll(
        tx,
        "jobs",
        key.map((each) => ({ key: each })),
      ),
    );
    const take = { queue: "jobs", holder: "w", limit: 500, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
    const { jobs } = await withTx(q.db, (tx) => claim(tx, take));
    expect(jobs.length).toBe(200);
    const outcomes = jobs.map((job) => held(job.key, job.fence));
    const beat = () =>
      withTx(q.db, (tx) => tx`update job set lease_until = lease_until + interval '1 second'`);
    const beats = Promise.all([beat(), beat(), beat(), beat()]);
    let settled: string[] = [];
    for (let rest = outcomes; rest.length > 0; rest = outcomes.filter(({ key: k }) => !settled.includes(k))) {
      const end = { queue: "jobs", outcomes: rest, now, maxAttempts: 3, skipLocked };
      settled = [...settled, ...(await withTx(q.db, (tx) => settle(tx, end)))];
    }
    await beats;
    expect(settled.length).toBe(200);
    expect(await q.stats()).toMatchObject({ depth: 0 });
  });

test("an end that waited for a heartbeat takes the row with it", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const now = q.clock.now();
  const take = { queue: "jobs", holder: "w", limit: 1, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
  const { jobs } = await withTx(q.db, (tx) => claim(tx, take));
  const outcomes = jobs.map(({ key, fence }) => held(key, fence));
  let settling: Promise<string[]> | undefined;
  await withTx(q.db, async (tx) => {
    await tx`update job set lease_until = lease_until + interval '1 second'`;
    const end = { queue: "jobs", outcomes, now, maxAttempts: 3, skipLocked: false };
    settling = withTx(q.db, (other) => settle(other, end));
    await until(() =>
      withTx(q.db, async (look) => {
        const found = await look`
          select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        return found.length > 0;
      }),
    );
  });
  expect(await settling).toEqual(["a"]);
  expect(await q.stats()).toMatchObject({ depth: 0 });
});

test("answers that were lost count as no attempts: the last attempt is made", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const take = { queue: "jobs", holder: "w", limit: 1, except: [], leaseMs: 30_000, maxAttempts: 1 };
  const look = (now: number) => withTx(q.db, (tx) => claim(tx, { ...take, now }));
  for (let lost = 0; lost < 5; lost++)
    expect(await look(q.clock.now())).toMatchObject({ jobs: [{ attempt: 1 }], dead: [] });
  expect(await look(q.clock.now() + 30_000)).toMatchObject({ jobs: [], dead: [{ attempt: 1 }] });
});

test("a settled job waits for nobody who writes down the queue's progress", async () => {
  await using q = await queueForTest();
  await withTx(q.db, (tx) => tx`insert into queue_progress values ('jobs', now() - interval '1 hour')`);
  await q.ask("a");
  const now = q.clock.now();
  const take = { queue: "jobs", holder: "w", limit: 1, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
  const { jobs } = await withTx(q.db, (tx) => claim(tx, take));
  const outcomes = jobs.map(({ key, fence }) => held(key, fence));
  await withTx(q.db, async (tx) => {
    await tx`select from queue_progress for update`;
    const end = { queue: "jobs", outcomes, now, maxAttempts: 3, skipLocked: true };
    expect(await withTx(q.db, (other) => settle(other, end))).toEqual(["a"]);
  });
});
