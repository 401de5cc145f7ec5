import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { enqueue } from "./enqueue.ts";
import { queueForTest, until } from "./fixtures.ts";
import { claim, settle } from "./store.ts";

test("settling a row that somebody changes meanwhile takes the change into account", async () => {
  await using q = await queueForTest();
  await q.ask("a");
  const now = q.clock.now();
  const take = { queue: "jobs", limit: 1, except: [], now, leaseMs: 30_000, maxAttempts: 3 };
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
  const next = async () => (await withTx(q.db, (tx) => claim(tx, take))).jobs[0]?.key;
  expect([await next(), await next(), await next()]).toEqual(["first", "second", undefined]);
});
