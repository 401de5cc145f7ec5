import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { enqueue } from "./enqueue.ts";
import { queueForTest, runs } from "./fixtures.ts";
import { queueStats } from "./stats.ts";

test("a queue nobody has used has nothing to tell", async () => {
  await using q = await queueForTest();
  expect(await q.stats()).toEqual({ queue: "jobs", depth: 0, oldestAgeMs: 0, lastSuccessAt: null, dead: 0 });
  expect(await withTx(q.db, (tx) => queueStats(tx))).toEqual([]);
});

test("the age is that of the oldest job which is due and in nobody's hands", async () => {
  await using q = await queueForTest();
  await q.ask("tomorrow", { runAt: new Date(Date.now() + 86_400_000) });
  expect(await q.stats()).toMatchObject({ depth: 1, oldestAgeMs: 0 });
  await q.ask("forgotten", { runAt: new Date(0) });
  await withTx(q.db, (tx) => tx`update job set since_at = now() - interval '1 hour' where key = 'forgotten'`);
  const hour = (await q.stats())?.oldestAgeMs ?? 0;
  expect(hour).toBeGreaterThanOrEqual(3_600_000);
  expect(hour).toBeLessThan(3_660_000);
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(async (run) => {
    begun.began(run);
    await gate.promise;
  });
  await begun.next();
  expect(await q.stats()).toMatchObject({ depth: 2, oldestAgeMs: 0 });
  gate.resolve();
});

test("every queue is listed", async () => {
  await using q = await queueForTest();
  for (const queue of ["b", "a"]) await withTx(q.db, (tx) => enqueue(tx, { queue, key: "k" }));
  expect(await withTx(q.db, (tx) => queueStats(tx))).toMatchObject([
    { queue: "a", depth: 1 },
    { queue: "b", depth: 1 },
  ]);
});
