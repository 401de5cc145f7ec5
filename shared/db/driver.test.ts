// What any Postgres driver must survive before it may carry transactions. postgres.js does so only with our patch
// (infra/adr/0003-postgres-driver.md): without it these fail. No withTx here, so that nothing hides the driver.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type Driver, openDriver, type Tx } from "./connect.ts";
import { codeOf } from "./errors.ts";

let pg: TestPostgres;
let admin: Driver;
const pools: Driver[] = [];

function pool(max: number, session: Record<string, string | number> = {}): Driver {
  const opened = openDriver(pg.adminUrl, { max, connectTimeoutMs: 5_000, log: silentLogger, session });
  pools.push(opened);
  return opened;
}

/** Resolves when the server has ended that session. */
async function ended(pid: number): Promise<void> {
  while ((await admin`select 1 from pg_stat_activity where pid = ${pid}`).length > 0);
}

/** Resolves when that session is inside a statement. */
async function busy(pid: number): Promise<void> {
  while (
    (await admin`select 1 from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`).length === 0
  );
}

const pidOf = async (sql: Tx): Promise<number> =>
  (await sql<[{ pid: number }]>`select pg_backend_pid() as pid`)[0].pid;

const codeIn = async (work: Promise<unknown>): Promise<string | undefined> =>
  await work.then(
    () => "none",
    (error: unknown) => codeOf(error) ?? String(error),
  );

/** How the end of a connection shows: orderly, or as a reset where bytes were still under way. */
const lost = expect.stringMatching(/^(CONNECTION_CLOSED|ECONNRESET|EPIPE)$/);

beforeAll(async () => {
  pg = await postgresForTest({ schema: "driver" });
  admin = pool(1);
  await admin`create table written (who text)`;
  await admin`create table balance (id int primary key, amount int not null)`;
});
beforeEach(async () => void (await admin`truncate written`));
afterAll(async () => {
  await Promise.all(pools.map((each) => each.end({ timeout: 0 })));
  await pg[Symbol.asyncDispose]();
});

test("late statements of a transaction that lost its connection never reach the next transaction", async () => {
  const sql = pool(1, { idle_in_transaction_session_timeout: 500 });
  const nextIsOpen = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string | undefined>();
  const first = sql.begin(async (tx) => {
    await tx`insert into written values ('first')`;
    await nextIsOpen.promise;
    late.resolve(await codeIn(tx`insert into written values ('late')`));
  });
  expect(await codeIn(first)).toEqual(lost);

  const next = sql.begin(async (tx) => {
    await tx`set local idle_in_transaction_session_timeout = 0`;
    await tx`insert into written values ('next')`;
    nextIsOpen.resolve();
    expect(await late.promise).toEqual(lost);
    await tx`select 1`;
    throw new Error("roll back");
  });
  expect(await codeIn(next)).toBe("Error: roll back");
  expect([...(await admin`select who from written`)]).toEqual([]);
});

test.each([1, 2])(
  "a backend killed inside a statement costs only its own transaction, pool of %d",
  async (max) => {
    const sql = pool(max);
    for (let round = 0; round < 3; round++) {
      const pid = Promise.withResolvers<number>();
      const killed = sql.begin(async (tx) => {
        pid.resolve(await pidOf(tx));
        await tx`select pg_sleep(60)`;
      });
      const outcome = codeIn(killed);
      await busy(await pid.promise);
      await admin`select pg_terminate_backend(${await pid.promise})`;
      expect(await outcome).toEqual(lost);
      expect([...(await sql`select 1 as one`)]).toEqual([{ one: 1 }]);
      expect([...(await sql.begin((tx) => tx`select 2 as two`))]).toEqual([{ two: 2 }]);
    }
  },
);

test("a statement that takes long keeps nobody waiting but its own caller", async () => {
  const sql = pool(2);
  const pid = Promise.withResolvers<number>();
  const slow = codeIn(
    (async () => {
      const [row] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`;
      pid.resolve(row.pid);
      await sql`select pg_sleep(60)`;
    })(),
  );
  await busy(await pid.promise);
  const others = Array.from({ length: 20 }, (_, i) =>
    i % 2 === 0 ? sql`select 1` : sql.begin((tx) => tx`select 1`),
  );
  expect(await Promise.all(others)).toHaveLength(20);
  await admin`select pg_terminate_backend(${await pid.promise})`;
  expect(await slow).toEqual(lost);
});

test("a pool that is ended while it connects leaves no connection behind", async () => {
  // What is left would be found at the end of this file.
  const ends = Array.from({ length: 30 }, async (_, i) => {
    const sql = pool(2);
    const asked = [sql`select 1`, sql`select 2`].map((query) => codeIn((async () => query)()));
    for (let turn = 0; turn < i; turn++) await Promise.resolve();
    await sql.end({ timeout: 0 });
    await Promise.all(asked);
  });
  await Promise.all(ends);
});

test("two thousand transactions and plain statements on four connections keep their books", async () => {
  await admin`truncate balance`;
  await admin`insert into balance select g, 0 from generate_series(1, 500) g`;
  const sql = pool(4);
  await Promise.all(
    Array.from({ length: 2000 }, async (_, i) => {
      const id = 1 + (i % 500);
      if (i % 2) {
        await sql`update balance set amount = amount + 1 where id = ${id}`;
        return;
      }
      const work = sql.begin(async (tx) => {
        await tx`update balance set amount = amount + 1 where id = ${id}`;
        if (i % 10 === 0) throw new Error("roll back");
      });
      expect(await codeIn(work)).toBe(i % 10 === 0 ? "Error: roll back" : "none");
    }),
  );
  const [sum] = await admin<[{ sum: number }]>`select sum(amount)::int as sum from balance`;
  expect(sum.sum).toBe(1800);
});

test("a server that closed every idle connection is reconnected to", async () => {
  const sql = pool(4);
  const pids = await Promise.all(Array.from({ length: 4 }, () => sql.begin((tx) => pidOf(tx))));
  for (const pid of pids) await admin`select pg_terminate_backend(${pid}, 5000)`;
  for (const pid of pids) await ended(pid);
  for (let i = 0; i < 5; i++) {
    const code = await codeIn(sql`select 1`);
    // The first may meet a connection whose end has not been read yet; it must not meet it for ever.
    if (i > 0) expect(code).toBe("none");
  }
});

test("a statement sent after its transaction has ended is refused, committed or rolled back", async () => {
  const sql = pool(1);
  const kept: Tx[] = [];
  await sql.begin(async (tx) => void kept.push(tx));
  await codeIn(sql.begin(async (tx) => Promise.reject(new Error(`rolled back ${kept.push(tx)}`))));
  for (const tx of kept)
    expect(await codeIn(tx`insert into written values ('late')`)).toBe("TRANSACTION_ENDED");
  expect([...(await admin`select who from written`)]).toEqual([]);
});

test("every statement that waits in a lost transaction is answered", async () => {
  const sql = pool(1);
  const answers = Promise.withResolvers<(string | undefined)[]>();
  const pid = Promise.withResolvers<number>();
  const work = sql.begin(async (tx) => {
    pid.resolve(await pidOf(tx));
    const many = Array.from({ length: 300 }, () => codeIn(tx`select pg_sleep(60)`));
    answers.resolve(await Promise.all(many));
  });
  const outcome = codeIn(work);
  await busy(await pid.promise);
  await admin`select pg_terminate_backend(${await pid.promise})`;
  expect(await outcome).toEqual(lost);
  const codes = await answers.promise;
  expect(codes).toEqual(codes.map(() => lost));
});
