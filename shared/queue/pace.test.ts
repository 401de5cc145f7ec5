// When jobs are handed over and ends are written while work keeps coming.
import { expect, test } from "bun:test";
import { single, withTx } from "#shared/db/tx.ts";
import { queueForTest, runs, until } from "./fixtures.ts";
import type { Run } from "./fence.ts";
import { freeHand } from "./hands.ts";
import { turn } from "./store.ts";

test("a full claim says whether other jobs are due", async () => {
  await using q = await queueForTest();
  const o = {
    queue: "jobs",
    holder: "w",
    limit: 1,
    except: [],
    now: q.clock.now(),
    leaseMs: 30_000,
    maxAttempts: 3,
  };
  const look = async () => {
    const [found] = await single(q.db, (sql) =>
      turn(sql, { ...o, except: ["a", "b"], outcomes: [], hungry: true }),
    );
    return [found?.claimed?.length, found?.more];
  };
  await q.ask("a");
  await q.ask("b");
  await q.ask("later", { runAt: new Date(q.clock.now() + 86_400_000) });
  expect(await look()).toEqual([1, true]);
  expect(await look()).toEqual([1, false]);
  expect(await look()).toEqual([0, false]);
});

test("a full claim says whether there are other jobs whose lease ran out", async () => {
  await using q = await queueForTest();
  const look = async (holder: string, limit: number, now: number, except: string[] = []) => {
    const o = { queue: "jobs", holder, limit, except, now, leaseMs: 30_000, maxAttempts: 3 };
    const [found] = await single(q.db, (sql) => turn(sql, { ...o, outcomes: [], hungry: true }));
    return [found?.claimed?.length, found?.more];
  };
  for (const key of ["a", "b", "c"]) await q.ask(key);
  expect(await look("gone", 3, q.clock.now())).toEqual([3, false]);
  const after = q.clock.now() + 30_000;
  expect(await look("w", 1, after)).toEqual([1, true]);
  expect(await look("w", 1, after, ["a", "b", "c"])).toEqual([0, false]);
});

test("a worker that has no hand left is told when the next job falls due", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  const handle = async (run: Run) => {
    begun.began(run);
    if (run.job.key === "first") await gate.promise;
  };
  await q.ask("first");
  await q.ask("soon", { runAt: new Date(q.clock.now() + 1000) });
  q.worker(handle, { concurrency: 1, sweepMs: 3_600_000 });
  expect((await begun.next()).job.key).toBe("first");
  gate.resolve();
  await until(async () => (await q.stats())?.depth === 1);
  await until(() => q.clock.sleepers() === 2);
  await q.clock.advance(1000);
  expect((await begun.next()).job.key).toBe("soon");
});

test("while jobs may wait that were not looked for, half of the hands are left for them", async () => {
  await using q = await queueForTest();
  q.worker(async () => {}, { concurrency: 4 });
  await until(() => q.clock.sleepers() === 2);
  freeHand(q.db, "jobs", "makes it look")?.drop(false);
  const hands = ["a", "b", "c"].map((key) => freeHand(q.db, "jobs", key));
  expect(hands.map((hand) => hand !== undefined)).toEqual([true, true, false]);
  for (const hand of hands) hand?.drop(false);
});

test("ends are gathered while more is asked for, for a short time and not when the queue is to be looked at", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => begun.began(run), { gatherMs: 1000 });
  await until(() => q.clock.sleepers() === 2);
  const hand = freeHand(q.db, "jobs", "on its way");
  for (const enough of [() => q.clock.advance(1000), () => hand?.drop(false)]) {
    await q.ask("a");
    await begun.next();
    await until(() => q.clock.sleepers() === 2);
    expect([...(await withTx(q.db, (tx) => tx`select key from job`))]).toEqual([{ key: "a" }]);
    await enough();
    await until(async () => (await q.stats())?.depth === 0);
    await until(() => q.clock.sleepers() === 2);
  }
});
