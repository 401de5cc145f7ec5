import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { asAdmin } from "#infra/postgres/admin.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { postgresForTest } from "./postgres.ts";

setDefaultTimeout(60_000); // the first use of the server runs initdb, which a busy machine makes slow

const folders = [mechanismMigrations];
const databases = (url: string) =>
  asAdmin(url, async (sql) =>
    (await sql<{ name: string }[]>`select datname as name from pg_database`).map((r) => r.name),
  );

test("each database is private, migrated, and gone afterwards", async () => {
  await using kept = await postgresForTest({ schema: "backups", folders });
  const other = await postgresForTest({ schema: "backups", folders });
  await withTx(kept.db, (tx) => tx`insert into idempotency (scope, key, body_sha256) values ('a', 'b', '')`);
  expect((await withTx(other.db, (tx) => tx`select from idempotency`)).length).toBe(0);
  const name = new URL(other.url).pathname.slice(1);
  expect(await databases(kept.adminUrl)).toContain(name);
  await other[Symbol.asyncDispose]();
  expect(await databases(kept.adminUrl)).not.toContain(name);
});

test("tests have the rights of a service's role and no more", async () => {
  await using pg = await postgresForTest({ schema: "files-proxy" });
  const [me] = await withTx(pg.db, (tx) => tx`select current_user as name, current_schema() as schema`);
  expect(me).toEqual({ name: "svc_files_proxy", schema: "files_proxy" });
  for (const statement of ["create schema extra", "create table public.x ()", "set role zpack_admin"]) {
    expect(withTx(pg.db, (tx) => tx.unsafe(statement))).rejects.toMatchObject({ code: "42501" });
  }
  await using other = await postgresForTest({ schema: "backups" });
  const foreign = new URL(pg.url);
  foreign.pathname = new URL(other.url).pathname;
  expect(asAdmin(foreign.href, (sql) => sql`select 1`)).rejects.toMatchObject({ code: "42501" });
});

test("test processes that start at the same time share one server", async () => {
  const code = `const { postgresForTest } = await import(${JSON.stringify(join(import.meta.dir, "postgres.ts"))});
    await using pg = await postgresForTest({ schema: "parallel" });
    process.stdout.write(new URL(pg.url).port);`;
  const ports = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = Bun.spawn([process.execPath, "-e", code], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
      });
      expect(await child.exited).toBe(0);
      return await new Response(child.stdout).text();
    }),
  );
  expect(new Set(ports).size).toBe(1);
});

test("cutting connections ends every session of the database", async () => {
  await using pg = await postgresForTest({ schema: "backups" });
  await Promise.all([1, 2].map(() => withTx(pg.db, (tx) => tx`select 1`)));
  expect(await pg.cutConnections()).toBe(2);
  expect((await withTx(pg.db, (tx) => tx`select 1`)).length).toBe(1);
});
