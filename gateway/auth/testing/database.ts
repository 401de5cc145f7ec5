import { afterAll } from "bun:test";
import type { Db } from "#shared/db/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";

const migrations = new URL("../migrations", import.meta.url).pathname;
const folders = [mechanismMigrations, { name: "gateway", dir: migrations }];

let kept: TestPostgres | undefined;
// Other hooks of the file may come later, and give back what they had until then.
let over = false;
afterAll(async () => {
  over = true;
  await kept?.[Symbol.asyncDispose]();
  kept = undefined;
});

/**
 * A database with the gateway's tables and not a row in them. The tests of one file take turns with the same one:
 * emptying it takes a few milliseconds, making one and removing it hundreds. Whoever needs a second one at the same time
 * gets another.
 */
export async function emptyDatabase(): Promise<TestPostgres> {
  const pg = kept ?? (await postgresForTest({ schema: "gateway", folders }));
  kept = undefined;
  return { ...pg, [Symbol.asyncDispose]: () => handBack(pg) };
}

async function handBack(pg: TestPostgres): Promise<void> {
  const clean = !over && (await emptied(pg.db));
  if (clean && !kept) kept = pg;
  else await pg[Symbol.asyncDispose]();
}

/** False where a test has left the database in a state in which nobody can empty it. */
const emptied = (db: Db): Promise<boolean> =>
  withTx(
    db,
    async (tx) => {
      const tables = await tx<{ name: string }[]>`
        select tablename as name from pg_tables where schemaname = ${db.schema} and tablename <> 'migration'`;
      await Promise.all(tables.map(({ name }) => tx`delete from ${tx(name)}`));
      return true;
    },
    { timeoutMs: 5_000 },
  ).catch(() => false);
