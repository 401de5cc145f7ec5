import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { asAdmin } from "#infra/postgres/admin.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import type { Tx } from "./connect.ts";
import { afterCommit, afterEnd, single, withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "billing" });
  await withTx(pg.db, (tx) => tx`create table account (id int primary key, cents int not null)`);
});
beforeEach(async () => {
  await withTx(pg.db, async (tx) => {
    await tx`truncate account`;
    await tx`insert into account values (1, 0), (2, 0)`;
  });
});
afterAll(() => pg[Symbol.asyncDispose]());

const cents = async () =>
  (await withTx(pg.db, (tx) => tx<{ cents: number }[]>`select cents from account order by id`)).map(
    (r) => r.cents,
  );
const insert = (tx: Tx) => tx`insert into account values (1, 1)`;
const unavailable = { code: "service.unavailable", status: 503, retryable: true };

test("what the function did is committed when it resolves and undone when it rejects, with its own error", async () => {
  expect(await withTx(pg.db, async (tx) => (await tx`update account set cents = 5 where id = 1`).count)).toBe(
    1,
  );
  const failure = new Error("no");
  const failed = withTx(pg.db, async (tx) => {
    await tx`update account set cents = 9`;
    throw failure;
  });
  expect(failed).rejects.toBe(failure);
  expect(await cents()).toEqual([5, 0]);
});

test("a violated constraint rejects with its SQLSTATE, and an error that the function swallowed still undoes", async () => {
  expect(withTx(pg.db, insert)).rejects.toMatchObject({
    code: "23505",
    constraint_name: "account_pkey",
  });
  const swallowed = withTx(pg.db, async (tx) => {
    await tx`update account set cents = 7`;
    await insert(tx).catch(() => {});
  });
  expect(swallowed).rejects.toMatchObject({ code: "23505" });
  expect(await cents()).toEqual([0, 0]);
});

test("steps after commit run once, after it, and never when it failed", async () => {
  const ran: string[] = [];
  await withTx(pg.db, async (tx) => {
    afterCommit(tx, () => ran.push("first"));
    afterCommit(tx, () => {
      throw new Error("a step's own fault");
    });
    afterCommit(tx, () => ran.push("last"));
    await tx`select 1`;
    ran.push("inside");
  });
  await withTx(pg.db, async (tx) => {
    afterCommit(tx, () => ran.push("never"));
    await tx`select 1 / 0`;
  }).catch(() => {});
  expect(ran).toEqual(["inside", "first", "last"]);
});

test("steps after the end learn of each attempt whether it was committed", async () => {
  const ended: string[] = [];
  let attempts = 0;
  await withTx(pg.db, async (tx) => {
    afterEnd(tx, (end) => ended.push(end));
    if (++attempts === 1) await tx`do $$ begin raise exception using errcode = '40001'; end $$`;
  });
  await withTx(pg.db, async (tx) => {
    afterEnd(tx, (end) => ended.push(end));
    throw new Error("no");
  }).catch(() => {});
  expect(ended).toEqual(["rolled back", "committed", "rolled back"]);
});

test("what a function asks for after its time was up ends at once, as unknown", async () => {
  const ended: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const late = withTx(
    pg.db,
    async (tx) => {
      await over;
      afterEnd(tx, (end) => ended.push(end));
    },
    { timeoutMs: 20 },
  );
  expect(await late.catch((error: unknown) => error)).toMatchObject({ code: "service.unavailable" });
  expect(ended).toEqual([]);
  resolve();
  await Bun.sleep(0);
  expect(ended).toEqual(["unknown"]);
});

test("a single statement commits by itself, and rejects like a transaction", async () => {
  const rows = await single(
    pg.db,
    (sql) => sql<{ cents: number }[]>`update account set cents = 3 where id = 1 returning cents`,
  );
  expect([...rows]).toEqual([{ cents: 3 }]);
  expect(await cents()).toEqual([3, 0]);
  expect(single(pg.db, (sql) => sql`insert into account values (1, 1)`)).rejects.toMatchObject({
    code: "23505",
  });
  const slow = single(pg.db, (sql) => sql`select pg_sleep(60)`, { timeoutMs: 20 });
  expect(slow).rejects.toMatchObject(unavailable);
  const impatient = pg.connect({ statementTimeoutMs: 20 });
  expect(single(impatient, (sql) => sql`select pg_sleep(60)`)).rejects.toMatchObject(unavailable);
});

test("a single statement that waited too long for a connection never runs", async () => {
  const db = pg.connect({ max: 1 });
  await withTx(db, async (tx) => {
    await tx`select 1`;
    const waiting = single(db, (sql) => sql`update account set cents = 9`, { timeoutMs: 20 });
    expect(waiting).rejects.toMatchObject(unavailable);
  });
  // The driver serves in order: when this one has had the connection, the one that was given up has had its turn.
  await single(db, (sql) => sql`select 1`);
  expect(await cents()).toEqual([0, 0]);
});

test("a serialisation failure is run again, with only the last attempt's steps after commit", async () => {
  let reads = 0;
  let steps = 0;
  const bothRead = Promise.withResolvers<void>();
  const raise = () =>
    withTx(pg.db, async (tx) => {
      await tx`set transaction isolation level serializable`;
      afterCommit(tx, () => steps++);
      const [row] = await tx<[{ cents: number }]>`select cents from account where id = 1`;
      if (++reads >= 2) bothRead.resolve();
      await bothRead.promise;
      await tx`update account set cents = ${row.cents + 1} where id = 1`;
    });
  await Promise.all([raise(), raise()]);
  expect(await cents()).toEqual([2, 0]);
  expect(steps).toBe(2);
  expect(reads).toBe(3);
});

test("a deadlock is solved by running one of the two again", async () => {
  const both = Promise.withResolvers<void>();
  let holding = 0;
  const move = (first: number, second: number) =>
    withTx(pg.db, async (tx) => {
      await tx`update account set cents = cents + 1 where id = ${first}`;
      if (++holding === 2) both.resolve();
      await both.promise;
      await tx`update account set cents = cents + 1 where id = ${second}`;
    });
  await Promise.all([move(1, 2), move(2, 1)]);
  expect(await cents()).toEqual([2, 2]);
});

test("a conflict that does not end is given back after a bounded number of attempts", async () => {
  let calls = 0;
  const stubborn = withTx(pg.db, async (tx) => {
    calls++;
    await tx`do $$ begin raise exception using errcode = '40001'; end $$`;
  });
  expect(stubborn).rejects.toMatchObject({ code: "40001" });
  expect(calls).toBe(5);
});

test("a read-only transaction writes nothing", async () => {
  const write = withTx(pg.db, (tx) => tx`update account set cents = 1`, { readOnly: true });
  expect(write).rejects.toMatchObject({ code: "25006" });
});

test("a statement that takes too long and a lock that does not come are service.unavailable", async () => {
  const db = pg.connect({ statementTimeoutMs: 50, lockTimeoutMs: 20 });
  expect(withTx(db, (tx) => tx`select pg_sleep(60)`)).rejects.toMatchObject(unavailable);
  await withTx(pg.db, async (tx) => {
    await tx`update account set cents = 1`;
    expect(withTx(db, (other) => other`update account set cents = 2`)).rejects.toMatchObject(unavailable);
    const nowait = withTx(db, (other) => other`select from account for update nowait`);
    expect(nowait).rejects.toMatchObject({ code: "55P03" });
  });
});

test("a prepared statement survives a change of its table", async () => {
  const read = () => withTx(pg.db, (tx) => tx`select * from altered`);
  await withTx(pg.db, (tx) => tx`create table altered (a int)`);
  await Promise.all(Array.from({ length: 8 }, read));
  await withTx(pg.db, (tx) => tx`alter table altered add column b int`);
  await Promise.all(Array.from({ length: 8 }, read));
});

test("while backends are killed, every success is there once and nobody waits for ever", async () => {
  const db = pg.connect({ max: 4, name: "attacked" });
  const total = 400;
  let succeeded = 0;
  let unsure = 0;
  await asAdmin(pg.adminUrl, async (sql) => {
    const kill = () => sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'attacked' and datname = current_database() order by random() limit 1`;
    const work = Array.from({ length: total }, async (_, i) => {
      try {
        await withTx(db, async (tx) => {
          await tx`insert into account values (${1000 + i}, 1)`;
          await tx`select ${i}::int`;
        });
        succeeded++;
      } catch (error) {
        expect(error).toMatchObject(unavailable);
        unsure++;
      }
      if ((succeeded + unsure) % 10 === 0) await kill();
    });
    await Promise.all(work);
  });
  const [row] = await withTx(
    db,
    (tx) => tx<[{ there: number }]>`select count(*) as there from account where id >= 1000`,
  );
  expect(succeeded + unsure).toBe(total);
  expect(unsure).toBeLessThan(total / 2);
  // A commit whose answer was lost may have happened; one that was confirmed has.
  expect(row.there).toBeGreaterThanOrEqual(succeeded);
  expect(row.there).toBeLessThanOrEqual(total);
});
