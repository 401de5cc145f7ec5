import { afterAll, beforeAll, expect, test } from "bun:test";
import { asAdmin } from "./admin.ts";
import { connectDb, type Db } from "#shared/db/connect.ts";
import { codeOf } from "#shared/db/errors.ts";
import { withTx } from "#shared/db/tx.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { databaseUrl, ensureRoles, serviceUrl } from "./roles.ts";

// Role names are the server's, and other test files use the services' own: hence names that no service has.
const unique = crypto.randomUUID().slice(0, 8);
const database = `zpack_${unique}`;
const one = { name: `one-${unique}`, password: "p@ss/word:'\"% é" };
const two = { name: `two-${unique}`, password: "other" };
const schema = (service: { name: string }) => service.name.replaceAll("-", "_");

let server: TestPostgres;
let db: Db;
const open = (service: typeof one) =>
  connectDb({
    url: serviceUrl(server.adminUrl, service, database),
    schema: service.name,
    name: "roles-test",
    max: 2,
  });

beforeAll(async () => {
  server = await postgresForTest({ schema: "roles" });
  await ensureRoles(server.adminUrl, [one, two], database);
  db = open(one);
  const other = open(two);
  await withTx(db, (tx) => tx`create table mine (x int)`);
  await withTx(other, (tx) => tx`create table theirs (x int)`);
  await other.close();
});
afterAll(async () => {
  await db.close();
  await asAdmin(server.adminUrl, async (sql) => {
    await sql.unsafe(`drop database "${database}" with (force)`);
    for (const service of [one, two]) await sql.unsafe(`drop role svc_${schema(service)}`);
  });
  await server[Symbol.asyncDispose]();
});

/** The SQLSTATE of a refusal, or "allowed". Outside of transactions, where create database would be refused anyway. */
const outcome = async (url: string, statement: string): Promise<string | undefined> =>
  await asAdmin(url, (sql) => sql.unsafe(statement)).then(
    () => "allowed",
    (error: unknown) => codeOf(error),
  );
const insufficient = "42501";

test("a service works in its own schema", async () => {
  await withTx(db, async (tx) => {
    await tx`insert into mine values (1)`;
    await tx`alter table mine add column y int`;
    expect((await tx`select * from mine`).length).toBe(1);
    await tx`drop table mine`;
  });
});

test.each([
  ["read another service's table", `select * from two_${unique}.theirs`],
  ["write another service's table", `insert into two_${unique}.theirs values (1)`],
  ["create a table in another schema", `create table two_${unique}.x ()`],
  ["create a schema", "create schema extra"],
  ["create a table in public", "create table public.x ()"],
  ["create a temporary table", "create temporary table x ()"],
  ["become the other service", `set role svc_two_${unique}`],
  ["become the administrator", "set role zpack_admin"],
  ["create a database", "create database extra"],
  ["create a role", "create role extra"],
  ["give itself rights", `alter role svc_one_${unique} createdb`],
  ["read the server's files", "select pg_read_file('/etc/passwd')"],
  ["run a program", "copy (select 1) to program 'cat'"],
  ["read password hashes", "select * from pg_authid"],
  [
    "end another's session",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'zpack_admin'",
  ],
  ["change the server's settings", "alter system set fsync = off"],
])("a service may not %s", async (_, statement) => {
  expect(await outcome(serviceUrl(server.adminUrl, one, database), statement)).toBe(insufficient);
});

test.each(["postgres", "template1", "the database of another installation"])(
  "a service may not connect to %s",
  async (name) => {
    const target = name.startsWith("the") ? new URL(server.adminUrl).pathname.slice(1) : name;
    const url = databaseUrl(serviceUrl(server.adminUrl, one, database), target);
    expect(await outcome(url, "select 1")).toBe(insufficient);
  },
);

test("running it again changes nothing but the passwords, and keeps the data", async () => {
  await withTx(db, (tx) => tx`create table kept as select 1 as x`);
  const renewed = { ...one, password: "renewed" };
  await ensureRoles(server.adminUrl, [renewed, two], database);
  const again = open(renewed);
  expect((await withTx(again, (tx) => tx`select x from kept`)).length).toBe(1);
  await again.close();
  expect(await outcome(serviceUrl(server.adminUrl, one, database), "select 1")).toBe("28P01");
  await ensureRoles(server.adminUrl, [one, two], database);
});

test("several at once do not get in each other's way", async () => {
  await Promise.all([1, 2, 3].map(() => ensureRoles(server.adminUrl, [one, two], database)));
});
