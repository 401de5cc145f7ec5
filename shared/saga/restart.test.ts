// Queue and sagas while their Postgres is restarted under them, again and again, without being asked to stop.
import { expect, test } from "bun:test";
import type { Db } from "#shared/db/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { systemClock } from "#shared/process/clock.ts";
import { enqueueNow } from "#shared/queue/enqueue.ts";
import { until } from "#shared/queue/fixtures.ts";
import { startWorker, type WorkerOptions } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { restartablePostgres } from "#shared/testing/restartable-postgres.ts";
import { beginSaga } from "./begin.ts";
import { sagaHandler } from "./handler.ts";
import { defineSaga, nothingToUndo } from "./saga.ts";

const restarts = process.env["FULL"] ? 10 : 2;
/** Generous: the machine that runs the tests may be busy. */
const backWithinMs = 5_000;

/** The world outside: what was done there, by operation and step, and how often it was really done. */
type World = Map<string, number>;

const step = (name: string) => ({
  name,
  async do({ deps, operationId }: { deps: World; operationId: string }) {
    const effect = `${operationId} ${name}`;
    if (!deps.has(effect)) deps.set(effect, 1);
  },
  undo: nothingToUndo,
});
const saga = defineSaga<World, object>({
  type: "test.restarted",
  steps: [step("first"), step("second"), step("third")],
  onSettled: async (tx, { operationId }) => void (await tx`insert into settled values (${operationId})`),
});

function work(db: Db, queue: string, handle: WorkerOptions["handle"]) {
  return startWorker({
    db,
    queue,
    handle,
    concurrency: 4,
    leaseMs: 30_000,
    sweepMs: 1_000,
    maxAttempts: 3,
    backoffMs: () => 50,
    clock: systemClock,
    log: silentLogger,
  });
}

/** As callers do: what was not confirmed is asked for again. */
async function insist<T>(fn: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      if (!(error instanceof Error && "retryable" in error && error.retryable === true)) throw error;
      await Bun.sleep(20);
    }
  }
}

test(`through ${restarts} restarts of Postgres nothing is lost, nothing is settled twice, and workers come back`, async () => {
  await using pg = await restartablePostgres({ schema: "work", folders: [mechanismMigrations] });
  const db = pg.connect();
  await withTx(db, async (tx) => {
    await tx`create table effect (key text primary key)`;
    await tx`create table settled (operation_id text not null)`;
  });
  const world: World = new Map();
  let progress = 0;
  const handler = sagaHandler([saga], world, { clock: systemClock, log: silentLogger, backoffMs: () => 20 });
  const workers = [
    work(db, "jobs", async (run) => {
      await run.fenced(
        async (tx) => void (await tx`insert into effect values (${run.job.key}) on conflict do nothing`),
      );
      progress++;
    }),
    work(pg.connect(), saga.queue, handler),
    work(pg.connect(), saga.queue, handler),
  ];
  const asked = { jobs: [] as string[], sagas: [] as string[] };
  const over = new AbortController();
  const ask = async () => {
    while (!over.signal.aborted) {
      const key = `job ${asked.jobs.length}`;
      const operationId = newId("tst");
      await insist(() => enqueueNow(db, "jobs", [{ key }]));
      asked.jobs.push(key);
      await insist(() =>
        withTx(db, async (tx) => {
          const known = await tx`select from operation where id = ${operationId}`;
          if (known.length === 0) await beginSaga(tx, saga, { operationId, customerId: "c", state: {} });
        }),
      );
      asked.sagas.push(operationId);
    }
  };
  const asking = ask();
  for (let i = 0; i < restarts; i++) {
    const before = progress;
    await until(() => progress > before + 20);
    await pg.restart();
    const ready = performance.now();
    const then = progress;
    await until(() => progress > then);
    expect(performance.now() - ready).toBeLessThan(backWithinMs);
  }
  over.abort();
  await asking;
  const done = performance.now();
  const left = () =>
    withTx(db, async (tx) => (await tx`select from job`).length).catch(() => Number.POSITIVE_INFINITY);
  await until(async () => (await left()) === 0);
  expect(performance.now() - done).toBeLessThan(2 * backWithinMs);
  const [effects, settled, operations] = await withTx(db, async (tx) => [
    await tx<{ key: string }[]>`select key from effect`,
    await tx<{ key: string }[]>`select operation_id as key from settled`,
    await tx<{ key: string }[]>`select id as key from operation where status = 'succeeded'`,
  ]);
  const names = (rows: { key: string }[] | undefined) => rows?.map(({ key }) => key).toSorted();
  expect(names(effects)).toEqual(asked.jobs.toSorted());
  expect(names(settled)).toEqual(asked.sagas.toSorted());
  expect(names(operations)).toEqual(asked.sagas.toSorted());
  expect(world.size).toBe(3 * asked.sagas.length);
  await Promise.all(workers.map((worker) => worker.stop()));
}, 120_000);
