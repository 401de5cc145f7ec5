// What must not happen where a job is handed over, claimed and given up at the same time.
import { expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { enqueue } from "./enqueue.ts";
import { type QueueFixture, queueForTest, runs, until } from "./fixtures.ts";
import { freeHand } from "./hands.ts";
import { LeaseLost, type Run } from "./fence.ts";

const resting = (q: QueueFixture) => until(() => q.clock.sleepers() === 2);

test("a job that took longer to be asked for than its lease lasts is not begun beside another worker's run", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const slow = manualClock(q.clock.now());
  const gate = Promise.withResolvers<void>();
  const handle = async (run: Run) => {
    begun.began(run);
    await gate.promise;
  };
  const first = q.worker(handle, { clock: slow });
  await until(() => slow.sleepers() === 2);
  await withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a" });
    await slow.advance(29_000);
  });
  await until(async () => (await leases(q)) === 1);
  const run = await begun.next();
  // Not as it was written: given back and claimed, with a lease that lasts.
  expect(run.job).toMatchObject({ key: "a", attempt: 1 });
  const [row] = await withTx(
    q.db,
    (tx) => tx<{ leaseUntil: Date; holder: string }[]>`select lease_until, holder from job`,
  );
  expect(row?.leaseUntil.getTime()).toBeGreaterThanOrEqual(slow.now() + 15_000);
  expect(row?.holder).not.toEndWith("*");
  gate.resolve();
  await until(async () => (await q.stats())?.depth === 0);
  await first.stop();
});

async function leases(q: QueueFixture): Promise<number> {
  return (await withTx(q.db, (tx) => tx`select from job where lease_until is not null`)).length;
}

test("what waits is not overtaken by what is asked for before it could be looked for", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(
    async (run) => {
      begun.began(run);
      if (run.job.key === "a") await gate.promise;
    },
    { concurrency: 1 },
  );
  await resting(q);
  await q.ask("a");
  await begun.next();
  await q.ask("b");
  gate.resolve();
  // A hand for a later one is kept no sooner than when the worker looks at the queue.
  let hand = freeHand(q.db, "jobs", "c");
  while (!hand) {
    await Promise.resolve();
    hand = freeHand(q.db, "jobs", "c");
  }
  expect((await begun.next()).job.key).toBe("b");
  hand.drop(false);
  await until(async () => (await q.stats())?.depth === 0);
});

test("a job that is due later is not put off while hands are kept for others again and again", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(
    async (run) => {
      begun.began(run);
      if (run.job.key === "a") await gate.promise;
    },
    { concurrency: 1 },
  );
  await resting(q);
  await q.ask("retry", { runAt: new Date(q.clock.now() + 1000) });
  await resting(q);
  await q.ask("a");
  await begun.next();
  // The next one is asked for while the end of the last one is not yet written.
  gate.resolve();
  let hand = freeHand(q.db, "jobs", "b");
  while (!hand) {
    await Promise.resolve();
    hand = freeHand(q.db, "jobs", "b");
  }
  await until(async () => (await keys(q)).length === 1);
  const [row] = await withTx(
    q.db,
    (tx) => tx<{ fence: number }[]>`
      insert into job (queue, key, payload, attempt, holder, lease_until)
      values ('jobs', 'b', '{}', 1, ${hand.holder}, ${new Date(hand.until)}) returning fence`,
  );
  hand.begin({ id: "1", queue: "jobs", key: "b", payload: {}, attempt: 1, fence: row?.fence ?? 0 });
  expect((await begun.next()).job.key).toBe("b");
  await until(async () => (await keys(q)).join() === "retry");
  await resting(q);
  await q.clock.advance(1000);
  expect((await begun.next()).job.key).toBe("retry");
});

async function keys(q: QueueFixture): Promise<string[]> {
  return (await withTx(q.db, (tx) => tx<{ key: string }[]>`select key from job order by key`)).map(
    ({ key }) => key,
  );
}

test("a key in doubt is not handed over until the doubt is over", async () => {
  await using q = await queueForTest();
  const worker = q.worker(async () => {});
  await resting(q);
  freeHand(q.db, "jobs", "a")?.drop(true);
  await resting(q);
  await until(() => freeHand(q.db, "jobs", "b")?.drop(false) === undefined);
  expect(freeHand(q.db, "jobs", "a")).toBeUndefined();
  await worker.stop();
});

test("what is committed after it was given up for lost is found at the next look, before its lease runs out", async () => {
  await using q = await queueForTest();
  const begun = runs();
  q.worker(async (run) => begun.began(run), { sweepMs: 5_000 });
  await resting(q);
  const hand = freeHand(q.db, "jobs", "a");
  hand?.drop(true);
  await resting(q);
  // Only now: the database was slow, and the connection was lost.
  await withTx(
    q.db,
    (tx) => tx`
      insert into job (queue, key, payload, attempt, holder, lease_until)
      values ('jobs', 'a', '{}', 1, ${hand?.holder ?? null}, ${new Date(hand?.until ?? 0)})`,
  );
  await q.clock.advance(5_000);
  expect((await begun.next()).job).toMatchObject({ key: "a", attempt: 1 });
  await until(async () => (await q.stats())?.depth === 0);
});

test("the end of a run that was fenced out does not end the heartbeat of the one after it", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let count = 0;
  q.worker(async (run) => {
    const gate = gates[count++];
    begun.began(run);
    await gate?.promise;
  });
  await q.ask("a");
  const stale = await begun.next();
  // Another worker took it and gave it back.
  await withTx(
    q.db,
    (tx) => tx`update job set fence = nextval('job_fence'), lease_until = null, holder = null, attempt = 0`,
  );
  await resting(q);
  const next = begun.next();
  let current: Run | undefined;
  void next.then((run) => (current = run));
  await until(async () => {
    await q.clock.advance(1_000);
    await lease(q);
    return current !== undefined;
  });
  expect(stale.signal.aborted).toBe(true);
  gates[0]?.resolve();
  for (let i = 0; i < 4; i++) {
    const before = await lease(q);
    await until(async () => {
      // In small steps: a beat is answered within a few of them.
      await q.clock.advance(100);
      return (await lease(q)) > before;
    });
  }
  expect(current?.signal.aborted).toBe(false);
  gates[1]?.resolve();
  await until(async () => (await q.stats())?.depth === 0);
});

async function lease(q: QueueFixture): Promise<number> {
  const [row] = await withTx(q.db, (tx) => tx<{ leaseUntil: Date | null }[]>`select lease_until from job`);
  return row?.leaseUntil?.getTime() ?? 0;
}

test("a run ends when its lease does, also while the database does not answer the heartbeat", async () => {
  await using q = await queueForTest();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  const worker = q.worker(async (run) => {
    begun.began(run);
    await gate.promise;
  });
  await resting(q);
  await q.ask("a");
  const run = await begun.next();
  await withTx(q.db, async (tx) => {
    await tx`lock table job`;
    await q.clock.advance(10_000);
    await until(async () => (await waiting(q)) > 0);
    expect(run.signal.aborted).toBe(false);
    await q.clock.advance(20_000);
    expect(run.signal.aborted).toBe(true);
  });
  expect(run.signal.reason).toBeInstanceOf(LeaseLost);
  gate.resolve();
  await worker.stop();
});

async function waiting(q: QueueFixture): Promise<number> {
  return (
    await withTx(
      q.db,
      (tx) =>
        tx`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    )
  ).length;
}

test("a waiting job that was to be joined in a transaction that is rolled back waits no longer for that", async () => {
  await using q = await queueForTest();
  const begun = runs();
  await q.askSilently("a");
  const joining = withTx(q.db, async (tx) => {
    await enqueue(tx, { queue: "jobs", key: "a" });
    q.worker(async (run) => begun.began(run));
    // It has looked, and could not take what is locked here.
    await until(() => q.clock.sleepers() === 2);
    throw new Error("taken back");
  });
  expect(await joining.catch((error: unknown) => String(error))).toBe("Error: taken back");
  expect((await begun.next()).job.key).toBe("a");
});
