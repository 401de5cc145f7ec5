import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { asAdmin, identifier, literal } from "./admin.ts";
import type { Tx } from "#shared/db/connect.ts";
import { roleOf, schemaOf } from "#shared/db/names.ts";

/** A service and the password of its role, made and kept by the caller. */
export type ServiceRole = { name: string; password: string };

/**
 * Makes what each service needs and no more, or brings it up to date: the database, and per service the role
 * `svc_<name>` with the schema `<name>` of its own. A role may connect to this database only, sees no other schema,
 * and can create neither schemas, databases nor roles. May be run again at any time; passwords become the given ones.
 *
 * @param adminUrl of a superuser, or of a role with CREATEDB and CREATEROLE; its path names any existing database.
 */
export async function ensureRoles(
  adminUrl: string,
  services: readonly ServiceRole[],
  database = "zpack",
): Promise<void> {
  await asAdmin(adminUrl, async (sql) => {
    await serialised(sql, async () => {
      const known = await sql`select 1 from pg_database where datname = ${database}`;
      if (known.length === 0) await sql.unsafe(`create database ${identifier(database)}`);
      // Every role may connect to every database unless this right of PUBLIC is taken away.
      for (const each of await ownDatabases(sql, database)) await closeDatabase(sql, each);
      for (const service of services) {
        await ensureRole(sql, service);
        await openDatabase(sql, database, service.name);
      }
    });
  });
  await asAdmin(databaseUrl(adminUrl, database), async (sql) => {
    await serialised(sql, async () => {
      await sql.unsafe("revoke all on schema public from public");
      for (const { name } of services) await ensureSchema(sql, name);
    });
  });
}

/** The connection string of a service's role. */
export function serviceUrl(adminUrl: string, service: ServiceRole, database = "zpack"): string {
  const url = new URL(databaseUrl(adminUrl, database));
  url.username = roleOf(service.name);
  url.password = encodeURIComponent(service.password);
  return url.href;
}

/** The same server and user, another database. */
export function databaseUrl(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(database)}`;
  return other.href;
}

/** The role with its password and without any attribute that would let it leave its schema. */
export async function ensureRole(sql: Tx, { name, password }: ServiceRole): Promise<void> {
  const role = roleOf(name);
  const known = await sql`select 1 from pg_roles where rolname = ${role}`;
  if (known.length === 0) await sql.unsafe(`create role ${identifier(role)}`);
  const rights = "login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls";
  const [me] = await sql<{ rolsuper: boolean }[]>`select rolsuper from pg_roles where rolname = current_user`;
  // Only a superuser may name all of these attributes; the role of a lesser one cannot have them anyway.
  const allowed = me?.rolsuper ? rights : "login noinherit nocreatedb nocreaterole";
  await sql.unsafe(`alter role ${identifier(role)} with ${allowed} password ${literal(verifier(password))}`);
  // Who is no superuser may only give a schema to a role that he is a member of.
  if (!me?.rolsuper) await sql.unsafe(`grant ${identifier(role)} to current_user`);
}

/** The schema, owned by the service's role, which is also its whole search path. */
export async function ensureSchema(sql: Tx, name: string): Promise<void> {
  const [schema, role] = [identifier(schemaOf(name)), identifier(roleOf(name))];
  await sql.unsafe(`create schema if not exists ${schema} authorization ${role}`);
  await sql.unsafe(`revoke all on schema ${schema} from public`);
}

/** Nobody but its owner and superusers may connect to the database or put temporary tables there. */
export async function closeDatabase(sql: Tx, database: string): Promise<void> {
  await sql.unsafe(`revoke all on database ${identifier(database)} from public`);
}

/** The service's role may connect. */
export async function openDatabase(sql: Tx, database: string, name: string): Promise<void> {
  await sql.unsafe(`grant connect on database ${identifier(database)} to ${identifier(roleOf(name))}`);
}

/** One at a time: Postgres answers "tuple concurrently updated" when two change the same right at once. */
export async function serialised<T>(sql: Tx, fn: () => Promise<T>): Promise<T> {
  await sql`select pg_advisory_lock(hashtextextended('zpack administration', 0))`;
  try {
    return await fn();
  } finally {
    await sql`select pg_advisory_unlock(hashtextextended('zpack administration', 0))`;
  }
}

/** Those of the databases that services must not reach by default, and that this administrator may change. */
async function ownDatabases(sql: Tx, database: string): Promise<string[]> {
  const rows = await sql<{ datname: string }[]>`
    select datname from pg_database
    where datname in (${database}, 'postgres', 'template1') and pg_has_role(datdba, 'usage')`;
  return rows.map((row) => row.datname);
}

/** What Postgres stores for a password (RFC 5803), so that the password itself is in no statement and no log. */
function verifier(password: string): string {
  const salt = randomBytes(16);
  const iterations = 4096;
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, iterations, 32, "sha256");
  const key = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(key("Client Key")).digest("base64");
  const server = key("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${server}`;
}
