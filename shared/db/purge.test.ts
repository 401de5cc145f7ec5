import { afterAll, beforeAll, expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { once } from "./inbox.ts";
import { mechanismMigrations } from "./migrate.ts";
import { purge } from "./purge.ts";
import { startRelay } from "./relay.ts";
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
    for (const table of ["outbox", "inbox", "idempotency", "operation", "job"])
      await tx`truncate ${tx(table)} cascade`;
    await tx`
      insert into outbox (id, subject, key, version, payload, published_at) values
        ('old', 's', 'k', 1, '{}', ${ago(61)}), ('young', 's', 'k', 1, '{}', ${ago(59)}), ('waiting', 's', 'k', 1, '{}', null)`;
    await tx`
      insert into job (queue, key, payload, died_at, created_at) values
        ('q', 'old', '{}', ${ago(51)}, now()), ('q', 'young', '{}', ${ago(49)}, now()),
        ('q', 'waiting', '{}', null, now() - interval '1 year')`;
    await once(tx, "c", "old");
    await tx`update inbox set created_at = now() - interval '181 seconds'`;
    await once(tx, "c", "young");
    await tx`
      insert into idempotency (scope, key, body_sha256, created_at)
      values ('s', 'old', '', now() - interval '31 seconds'), ('s', 'young', '', now())`;
    await tx`
      insert into operation (id, type, customer_id, status, phase, message, finished_at, created_at) values
        ('old', 't', 'c', 'succeeded', '', '', now() - interval '41 seconds', now()),
        ('young', 't', 'c', 'failed', '', '', now() - interval '30 seconds', now()),
        ('endless', 't', 'c', 'running', '', '', null, now() - interval '1 year')`;
    await tx`insert into saga (operation_id, type, queue, state) select id, 't', 'q', '{}' from operation`;
    await tx`insert into saga_step (operation_id, position, name) select id, 0, 's' from operation`;
  });
}

async function left(): Promise<Record<string, string[]>> {
  return withTx(pg.db, async (tx) => {
    const keys = async (table: string, column: string) =>
      (await tx<{ key: string }[]>`select ${tx(column)} as key from ${tx(table)} order by ${tx(column)}`).map(
        ({ key }) => key,
      );
    return {
      outbox: await keys("outbox", "id"),
      inbox: await keys("inbox", "event_id"),
      idempotency: await keys("idempotency", "key"),
      operations: await keys("operation", "id"),
      steps: await keys("saga_step", "operation_id"),
      jobs: await keys("job", "key"),
    };
  });
}

const expected = {
  outbox: ["waiting", "young"],
  inbox: ["young"],
  idempotency: ["young"],
  operations: ["endless", "young"],
  steps: ["endless", "young"],
  jobs: ["waiting", "young"],
};
const keep = {
  publishedMs: 60 * second,
  inboxMs: 180 * second,
  idempotencyMs: 30 * second,
  operationMs: 40 * second,
  deadJobMs: 50 * second,
};

test("whatever grows is deleted after its retention, and nothing that is still wanted", async () => {
  const now = Date.now();
  await fill(now);
  await purge(pg.db, keep, now);
  expect(await left()).toEqual(expected);
});

test("a row that somebody holds is left for the next time", async () => {
  const now = Date.now();
  await fill(now);
  await withTx(pg.db, async (tx) => {
    await tx`select from operation where id = 'old' for update`;
    await purge(pg.db, keep, now);
  });
  expect((await left())["operations"]).toEqual(["endless", "old", "young"]);
  await purge(pg.db, keep, now);
  expect(await left()).toEqual(expected);
});

test("a purge ends when it is told to, and the next one goes on", async () => {
  const now = Date.now();
  await fill(now);
  const before = await left();
  await purge(pg.db, keep, now, AbortSignal.abort());
  expect(await left()).toEqual(before);
  await purge(pg.db, keep, now);
  expect(await left()).toEqual(expected);
});

test("the relay purges, by the retentions it is given", async () => {
  const clock = manualClock(Date.now());
  await fill(clock.now());
  const publish = Promise.withResolvers<never>();
  const publisher = { publish: () => publish.promise, streamCreated: async () => "then" };
  await withTx(pg.db, (tx) => tx`delete from outbox where published_at is null`);
  const { publishedMs: retentionMs, idempotencyMs, operationMs, deadJobMs } = keep;
  const relay = startRelay({
    db: pg.db,
    publisher,
    clock,
    log: silentLogger,
    retentionMs,
    idempotencyMs,
    operationMs,
    deadJobMs,
  });
  while (clock.sleepers() === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(await left()).toEqual({ ...expected, outbox: ["young"] });
  await relay.stop();
});
