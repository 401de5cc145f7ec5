// Workers as processes, paused and killed as a machine does it.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { withTx } from "#shared/db/tx.ts";
import { systemClock } from "#shared/process/clock.ts";
import { startChild } from "#shared/testing/child.ts";
import { seeded } from "#shared/testing/random.ts";
import { type QueueFixture, queueForTest, runs, until } from "./fixtures.ts";

const full = process.env["FULL"] !== undefined;
const child = (q: QueueFixture, env: Record<string, string>) =>
  startChild(join(import.meta.dir, "worker.child.ts"), { WORKER_URL: q.pg.url, ...env });

type Effect = { key: string; fence: number };
const effects = (q: QueueFixture) =>
  withTx(q.db, (tx) => tx<Effect[]>`select key, fence from effect order by key`);

async function queueWithEffects(): Promise<QueueFixture> {
  const q = await queueForTest();
  await withTx(q.db, (tx) => tx`create table effect (key text primary key, fence bigint not null)`);
  return q;
}

test("a process that was paused past its lease and woken writes nothing; the work is done once", async () => {
  await using q = await queueWithEffects();
  await q.ask("a");
  const leader = child(q, { WORKER_HANDLER: "told", WORKER_LEASE_MS: "300" });
  expect(await leader.next()).toBe("a");
  leader.pause();
  const begun = runs();
  q.worker(
    async (run) => {
      await run.fenced((tx) => tx`insert into effect (key, fence) values (${run.job.key}, ${run.job.fence})`);
      begun.began(run);
    },
    { clock: systemClock, sweepMs: 20, leaseMs: 60_000 },
  );
  const { job } = await begun.next();
  await until(async () => (await q.stats())?.depth === 0);
  leader.resume();
  leader.tell("write");
  expect(await leader.next()).toBe("LeaseLost, aborted");
  await leader.kill();
  expect([...(await effects(q))]).toEqual([{ key: "a", fence: job.fence }]);
  expect(await q.stats()).toMatchObject({ depth: 0, dead: 0 });
});

test("a paused process that wakes while another one works cannot write either", async () => {
  await using q = await queueWithEffects();
  await q.ask("a");
  const leader = child(q, { WORKER_HANDLER: "told", WORKER_LEASE_MS: "300" });
  expect(await leader.next()).toBe("a");
  leader.pause();
  const begun = runs();
  const gate = Promise.withResolvers<void>();
  q.worker(
    async (run) => {
      begun.began(run);
      await gate.promise;
      await run.fenced((tx) => tx`insert into effect (key, fence) values (${run.job.key}, ${run.job.fence})`);
    },
    { clock: systemClock, sweepMs: 20, leaseMs: 60_000 },
  );
  const { job } = await begun.next();
  leader.resume();
  leader.tell("write");
  expect(await leader.next()).toBe("LeaseLost, aborted");
  expect([...(await effects(q))]).toEqual([]);
  gate.resolve();
  await until(async () => (await q.stats())?.depth === 0);
  await leader.kill();
  expect([...(await effects(q))]).toEqual([{ key: "a", fence: job.fence }]);
});

for (const seed of full ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1])
  test(`workers killed at any point lose nothing and write nothing twice (seed ${seed})`, async () => {
    await using q = await queueWithEffects();
    const random = seeded(seed);
    const keys = Array.from({ length: 40 }, (_, i) => `key ${String(i).padStart(2, "0")}`);
    const over = new AbortController();
    let deaths = 0;
    const generations = async () => {
      while (!over.signal.aborted) {
        const worker = child(q, {
          WORKER_HANDLER: "mortal",
          WORKER_LEASE_MS: "400",
          WORKER_CONCURRENCY: "3",
          WORKER_SEED: String(Math.floor(random() * 1e9)),
        });
        await worker.exited;
        deaths++;
      }
    };
    const living = [generations(), generations()];
    for (const key of keys) await q.ask(key, { payload: { key } });
    await until(async () => (await q.stats())?.depth === 0);
    over.abort();
    await Promise.all(living);
    expect((await effects(q)).map(({ key }) => key)).toEqual(keys);
    expect(await q.stats()).toMatchObject({ depth: 0, dead: 0 });
    expect(deaths).toBeGreaterThan(1);
  }, 120_000);
