import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { registry } from "#gateway/registry.ts";
import { asAdmin } from "./admin.ts";
import { schemaOf } from "#shared/db/names.ts";
import { codeOf } from "#shared/db/errors.ts";
import { connectDb, type Db } from "#shared/db/connect.ts";
import { mechanismMigrations, migrate } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { ensureRoles, serviceUrl } from "./roles.ts";

// Every service of the registry with its own role, in one database as in production: what it must not do there.

// Roles are the server's, and other tests use it at the same moment: these have names of their own.
const services = registry.map(({ service }) => ({
  name: `rights-${service}`,
  password: crypto.randomUUID(),
}));
const database = `rights_${crypto.randomUUID().slice(0, 8)}`;
const dbs = new Map<string, Db>();
let server: TestPostgres;

beforeAll(async () => {
  // Borrowed for its server: the roles of all services need a database that is no copy of one service's template.
  server = await postgresForTest({ schema: "borrowed" });
  await ensureRoles(server.adminUrl, services, database);
  for (const service of services) {
    const url = serviceUrl(server.adminUrl, service, database);
    const db = connectDb({ url, schema: schemaOf(service.name), name: "rights" });
    dbs.set(service.name, db);
    await migrate(db, [mechanismMigrations]);
  }
}, 60_000);
afterAll(async () => {
  await Promise.all([...dbs.values()].map((db) => db.close(0)));
  await asAdmin(server.adminUrl, (sql) => sql.unsafe(`drop database ${database} with (force)`));
  await server[Symbol.asyncDispose]();
});

/** What becomes of a statement under a service's role: "done", or Postgres' own code. */
const as = (service: string, statement: string): Promise<string> =>
  withTx(dbs.get(service) as Db, (tx) => tx.unsafe(statement)).then(
    () => "done",
    (error: unknown) => codeOf(error) ?? String(error),
  );
const denied = "42501";

describe.each(services.map(({ name }) => name))("the role of %s", (name) => {
  const others = services.filter((other) => other.name !== name);

  test("works in its own schema", async () => {
    expect(await as(name, "select count(*) from outbox")).toBe("done");
    expect(await as(name, "create table own (id int)")).toBe("done");
  });

  test("reads, writes and changes nothing of another's", async () => {
    for (const other of others) {
      const schema = schemaOf(other.name);
      for (const statement of [
        `select * from ${schema}.outbox`,
        `insert into ${schema}.outbox default values`,
        `create table ${schema}.planted (id int)`,
        `drop table ${schema}.outbox`,
        `grant usage on schema ${schema} to public`,
        `set role svc_${schema}`,
      ])
        expect({ statement, result: await as(name, statement) }).toEqual({ statement, result: denied });
    }
  });

  test("makes no schema, database, role or public table", async () => {
    for (const statement of [
      "create schema planted",
      "create table public.planted (id int)",
      "create role planted",
      "alter role zpack_admin password 'x'",
      "select pg_read_file('/etc/passwd')",
      "copy (select 1) to program 'true'",
    ])
      expect({ statement, result: await as(name, statement) }).toEqual({ statement, result: denied });
  });
});
