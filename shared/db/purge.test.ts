import { afterAll, afterEach, beforeAll, beforeEach, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { until } from "#shared/testing/call.ts";
import { type ManualClock, manualClock } from "#shared/testing/clock.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { mechanismMigrations } from "./migrate.ts";
import { startPurge } from "./purge.ts";
import { withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "billing", folders: [mechanismMigrations] });
});
afterAll(() => pg[Symbol.asyncDispose]());

const second = 1_000;

/** Fills every table that grows with what is just too old, what is just young enough, and what is never old. */
async function fill(now: number): Promise<void> {
  const ago = (seconds: number) => new Date(now - seconds * second);
  await withTx(pg.db, async (tx) => {
    for (const table of ["outbox", "idempotency", "operation", "job"])
      await tx`truncate ${tx(table)} cascade`;
    await tx`
      insert into outbox (id, subject, key, version, payload, published_at) values
        ('old', 's', 'k', 1, '{}', ${ago(61)}), ('young', 's', 'k', 1, '{}', ${ago(59)}), ('waiting', 's', 'k', 1, '{}', null)`;
    await tx`
      insert into job (queue, key, payload, died_at, created_at) values
        ('q', 'old', '{}', ${ago(51)}, now()), ('q', 'young', '{}', ${ago(49)}, now()),
        ('q', 'waiting', '{}', null, now() - interval '1 year')`;
    await tx`
      insert into idempotency (scope, key, body_sha256, created_at)
      values ('s', 'old', '', now() - interval '31 seconds'), ('s', 'young', '', now())`;
    await tx`
      insert into operation (id, type, customer_id, status, phase, message, finished_at, created_at) values
        ('old', 't', 'c', 'succeeded', '', '', now() - interval '41 seconds', now()),
        ('young', 't', 'c', 'failed', '', '', now() - interval '30 seconds', now()),
        ('endless', 't', 'c', 'running', '', '', null, now() - interval '1 year')`;
    await tx`insert into saga (operation_id, type, state) select id, 't', '{}' from operation`;
    await tx`insert into saga_step (operation_id, position, name) select id, 0, 's' from operation`;
  });
}

async function left(outbox = "outbox"): Promise<Record<string, string[]>> {
  return withTx(pg.db, async (tx) => {
    const keys = async (table: string, column: string) =>
      (await tx<{ key: string }[]>`select ${tx(column)} as key from ${tx(table)} order by ${tx(column)}`).map(
        ({ key }) => key,
      );
    return {
      outbox: await keys(outbox, "id"),
      idempotency: await keys("idempotency", "key"),
      operations: await keys("operation", "id"),
      steps: await keys("saga_step", "operation_id"),
      jobs: await keys("job", "key"),
    };
  });
}

const expected = {
  outbox: ["waiting", "young"],
  idempotency: ["young"],
  operations: ["endless", "young"],
  steps: ["endless", "young"],
  jobs: ["waiting", "young"],
};
const keep = {
  publishedMs: 60 * second,
  idempotencyMs: 30 * second,
  operationMs: 40 * second,
  deadJobMs: 50 * second,
};

let clock: ManualClock;
let purge: { stop(): Promise<void> } | undefined;
beforeEach(async () => {
  clock = manualClock(Date.now());
  await fill(clock.now());
});
afterEach(() => purge?.stop());

const start = () => (purge = startPurge({ db: pg.db, keep, everyMs: second, clock, log: silentLogger }));
const leftIs = (wanted: Awaited<ReturnType<typeof left>>) =>
  until(left, (rows) => Bun.deepEquals(rows, wanted));

test("whatever grows is deleted after its retention, and nothing that is still wanted", async () => {
  start();
  await leftIs(expected);
});

test("a row that somebody holds holds up nothing, and is left for the next time", async () => {
  const operations = ["endless", "old", "young"];
  await withTx(pg.db, async (tx) => {
    await tx`select from operation where id = 'old' for update`;
    start();
    await leftIs({ ...expected, operations, steps: operations });
  });
  await clock.advance(second);
  await leftIs(expected);
});

test("a table that cannot be purged keeps no other from it, and is tried again", async () => {
  await withTx(pg.db, (tx) => tx`alter table outbox rename to away`);
  start();
  await until(
    () => left("away"),
    (rows) => Bun.deepEquals(rows, { ...expected, outbox: ["old", "waiting", "young"] }),
  );
  await withTx(pg.db, (tx) => tx`alter table away rename to outbox`);
  await clock.advance(second);
  await leftIs(expected);
});
