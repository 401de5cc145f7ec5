import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as roles from "#infra/postgres/roles.ts";
import { asAdmin, identifier } from "#infra/postgres/admin.ts";
import { connectDb, type Db, type DbOptions, type Tx } from "#shared/db/connect.ts";
import { type MigrationFolder, migrate } from "#shared/db/migrate.ts";

export type TestPostgres = {
  /** Connected as the service's own restricted role, so a test meets the rights of production. */
  db: Db;
  /** The same role's connection string. */
  url: string;
  /** The superuser's connection string for this database: for looking at, or breaking, what the role may not. */
  adminUrl: string;
  /** One more pool of the same role, closed together with this database. */
  connect(options?: Partial<DbOptions>): Db;
  /** Cuts every connection to this database, as a restart of the server would; how many there were. */
  cutConnections(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * A private database with the migrated schema: `await using pg = await postgresForTest({ schema: "backups" })`.
 *
 * All test processes share one Postgres, started by the first (infra/postgres/test-server.ts); it is no child of any
 * test, and stops by itself a few seconds after the last database was disposed of or its process ended, however that
 * came about. Per schema and set of migrations a template is migrated once; each database is a copy (about 20 ms).
 */
export async function postgresForTest(o: {
  schema: string;
  folders?: MigrationFolder[];
}): Promise<TestPostgres> {
  const server = await useServer();
  const password = createHash("sha256").update(`${server.url} ${o.schema}`).digest("hex");
  const service = { name: o.schema, password };
  const database = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await asAdmin(server.url, async (sql) => {
    const template = await ensureTemplate(sql, server.url, service, o.folders ?? []);
    await sql.unsafe(
      `create database ${identifier(database)} template ${identifier(template)} strategy file_copy`,
    );
    // Rights on a database are not copied with it.
    await roles.closeDatabase(sql, database);
    await roles.openDatabase(sql, database, service.name);
  });
  const url = roles.serviceUrl(server.url, service, database);
  const pools: Db[] = [];
  const connect = (options: Partial<DbOptions> = {}) => {
    const db = connectDb({ url, schema: o.schema, name: "test", max: 8, ...options });
    pools.push(db);
    return db;
  };
  return {
    db: connect(),
    url,
    adminUrl: roles.databaseUrl(server.url, database),
    connect,
    cutConnections: () => asAdmin(server.url, async (sql) => await cut(sql, database)),
    async [Symbol.asyncDispose]() {
      await Promise.all(pools.map((db) => db.close(0)));
      await asAdmin(server.url, (sql) => sql.unsafe(`drop database ${identifier(database)} with (force)`));
      server.leave();
    },
  };
}

async function cut(sql: Tx, database: string): Promise<number> {
  const rows =
    await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = ${database}`;
  return rows.length;
}

/** The name of the migrated template for this schema and these files; made by whoever comes first. */
async function ensureTemplate(
  sql: Tx,
  adminUrl: string,
  service: roles.ServiceRole,
  folders: MigrationFolder[],
): Promise<string> {
  const template = `template_${await digest(service.name, folders)}`;
  const exists = async () => (await sql`select 1 from pg_database where datname = ${template}`).length > 0;
  if (await exists()) return template;
  return await roles.serialised(sql, async () => {
    if (await exists()) return template;
    // Built under another name: a process that is killed halfway leaves no half-migrated template.
    const draft = `draft_${template}`;
    await sql.unsafe(`drop database if exists ${identifier(draft)} with (force)`);
    await sql.unsafe(`create database ${identifier(draft)}`);
    await roles.ensureRole(sql, service);
    for (const database of [draft, "postgres", "template1"]) await roles.closeDatabase(sql, database);
    await roles.openDatabase(sql, draft, service.name);
    await asAdmin(roles.databaseUrl(adminUrl, draft), async (inside) => {
      await inside.unsafe("revoke all on schema public from public");
      await roles.ensureSchema(inside, service.name);
    });
    const url = roles.serviceUrl(adminUrl, service, draft);
    const db = connectDb({ url, schema: service.name, name: "test-template", max: 1 });
    try {
      await migrate(db, folders);
    } finally {
      await db.close();
    }
    await sql.unsafe(`alter database ${identifier(draft)} rename to ${identifier(template)}`);
    return template;
  });
}

async function digest(schema: string, folders: MigrationFolder[]): Promise<string> {
  const hash = createHash("sha256").update(schema);
  for (const { name, dir } of folders) {
    for (const file of (await readdir(dir)).toSorted()) {
      hash.update(`\0${name}\0${file}\0`).update(readFileSync(join(dir, file)));
    }
  }
  return hash.digest("hex").slice(0, 24);
}

type Server = { url: string; leave(): void };

/** Joins the shared server, starting it where there is none; `leave` is also what the end of the process does. */
async function useServer(): Promise<Server> {
  const checkout = resolve(import.meta.dir, "../..");
  const key = createHash("sha256").update(checkout).digest("hex").slice(0, 12);
  const name = `zpack-test-postgres-${process.getuid?.()}-${key}`;
  const dir = join(tmpdir(), name);
  const deadline = performance.now() + 60_000;
  for (let attempt = 0; performance.now() < deadline; attempt++) {
    const socket = await enter(name);
    if (socket) return { url: readFileSync(join(dir, "url"), "utf8"), leave: () => socket.end() };
    // A starter that finds another one at work ends at once; one that comes while an old server stops does, too.
    if (attempt % 50 === 0) startServer(name, dir);
    await Bun.sleep(20);
  }
  throw new Error(`no Postgres for tests within a minute; see ${dir}/data.log`);
}

/** The socket that keeps the server alive, once the server is ready; undefined when there is none, or it just ended. */
async function enter(name: string): Promise<Bun.Socket | undefined> {
  const { promise, resolve: settle } = Promise.withResolvers<Bun.Socket | undefined>();
  const handler = {
    data: (socket: Bun.Socket) => settle(socket),
    close: () => settle(undefined),
    connectError: () => settle(undefined),
  };
  try {
    const socket = await Bun.connect({ unix: `\0${name}`, socket: handler });
    const ready = await promise;
    socket.unref();
    return ready;
  } catch {
    return undefined;
  }
}

/** `setsid --fork`: a session of its own and no parent, so that the end of the test run does not take it along. */
function startServer(name: string, dir: string): void {
  const script = join(import.meta.dir, "../../infra/postgres/test-server.ts");
  const { PATH, HOME, TMPDIR } = process.env;
  Bun.spawnSync(["setsid", "--fork", process.execPath, script, name, dir], {
    env: { PATH, HOME, TMPDIR },
    cwd: "/",
    stdio: ["ignore", "ignore", "ignore"],
  });
}
