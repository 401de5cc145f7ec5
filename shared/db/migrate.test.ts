import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { mechanismMigrations, migrate } from "./migrate.ts";
import { withTx } from "./tx.ts";

let pg: TestPostgres;
let dir: string;
beforeEach(async () => {
  pg = await postgresForTest({ schema: "servers" });
  dir = await mkdtemp(join(tmpdir(), "zpack-migrate-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
  await pg[Symbol.asyncDispose]();
});

const put = (file: string, text: string) => writeFile(join(dir, file), text);
const run = () => migrate(pg.db, [{ name: "servers", dir }]);
const tables = async () =>
  (
    await withTx(
      pg.db,
      (tx) => tx<{ name: string }[]>`
        select table_name as name from information_schema.tables
        where table_schema = 'servers' and table_name <> 'migration' order by 1`,
    )
  ).map((row) => row.name);

test("files are applied in order, once, and reported", async () => {
  await put("0002_add_column.sql", "alter table a add column y int; alter table a add column z int;");
  await put("0001_create_a.sql", "create table a (x int)");
  await put("notes.md", "no migration");
  expect(await run()).toEqual(["servers/0001_create_a.sql", "servers/0002_add_column.sql"]);
  expect(await run()).toEqual([]);
  await put("0003_create_b.sql", "create table b ()");
  expect(await run()).toEqual(["servers/0003_create_b.sql"]);
  expect(await tables()).toEqual(["a", "b"]);
});

test("a failing file undoes the whole run and is named", async () => {
  await put("0001_create_a.sql", "create table a ()");
  await put("0002_break.sql", "create table b (); select 1 / 0");
  expect(run()).rejects.toThrow("migration servers/0002_break.sql failed: division by zero");
  expect(await tables()).toEqual([]);
});

test("changed, missing, inserted, misnamed and repeated files are refused", async () => {
  await put("0001_create_a.sql", "create table a ()");
  await put("0003_create_c.sql", "create table c ()");
  await run();
  await put("0001_create_a.sql", "create table a (x int)");
  expect(run()).rejects.toThrow("servers/0001_create_a.sql was changed");
  await put("0001_create_a.sql", "create table a ()");
  await put("0002_create_b.sql", "create table b ()");
  expect(run()).rejects.toThrow("servers/0002_create_b.sql was put before");
  await rm(join(dir, "0002_create_b.sql"));
  await put("0003_other.sql", "");
  expect(run()).rejects.toThrow("repeats a number");
  await rm(join(dir, "0003_other.sql"));
  await rm(join(dir, "0003_create_c.sql"));
  expect(run()).rejects.toThrow("servers/0003_create_c.sql was applied but is missing");
  await put("4_d.sql", "");
  expect(run()).rejects.toThrow("not named");
});

test("several processes at once: one migrates, the others find it done", async () => {
  await put("0001_create_a.sql", "create table a (); select pg_sleep(0.05)");
  const others = [pg.db, pg.connect(), pg.connect(), pg.connect()];
  const applied = await Promise.all(others.map((db) => migrate(db, [{ name: "servers", dir }])));
  expect(applied.flat()).toEqual(["servers/0001_create_a.sql"]);
});

test("a migration may take longer than a statement of a request", async () => {
  await put("0001_wait.sql", "select pg_sleep(0.2)");
  const hasty = pg.connect({ statementTimeoutMs: 50, lockTimeoutMs: 20, transactionTimeoutMs: 100 });
  expect(await migrate(hasty, [{ name: "servers", dir }])).toHaveLength(1);
});

test("every table of the mechanism says when its rows were made and changed", async () => {
  await migrate(pg.db, [mechanismMigrations]);
  const bare = await withTx(
    pg.db,
    (tx) => tx<{ name: string; stamps: number }[]>`
      select table_name as name, count(*) filter (where column_name in ('created_at', 'updated_at')) as stamps
      from information_schema.columns where table_schema = 'servers' group by 1`,
  );
  expect(bare.length).toBeGreaterThan(4);
  expect(bare.filter((table) => table.stamps !== 2)).toEqual([]);
});
