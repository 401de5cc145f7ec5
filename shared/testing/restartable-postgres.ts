import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { running, startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { asAdmin, identifier } from "#infra/postgres/admin.ts";
import { connectDb, type Db, type DbOptions } from "#shared/db/connect.ts";
import { type MigrationFolder, migrate } from "#shared/db/migrate.ts";

export type RestartablePostgres = {
  /** One more pool, closed with the server. */
  connect(options?: Partial<DbOptions>): Db;
  /** Ends the server as `pg_ctl stop -m immediate` does, without a word to anybody, and starts it again. */
  restart(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A Postgres of the test's own, with its ordinary durability: what it confirmed is there after a restart. */
export async function restartablePostgres(o: {
  schema: string;
  folders: MigrationFolder[];
}): Promise<RestartablePostgres> {
  const home = mkdtempSync(join(tmpdir(), "zpack-restart-"));
  const dir = join(home, "data");
  const password = crypto.randomUUID();
  const settings = { shared_buffers: "16MB", max_connections: 50 };
  const { port } = await startPostgres({ dir, password, settings });
  const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  await asAdmin(url, (sql) => sql.unsafe(`create schema ${identifier(o.schema)}`));
  const pools: Db[] = [];
  const connect = (options: Partial<DbOptions> = {}) => {
    const db = connectDb({ url, schema: o.schema, name: "restart-test", max: 5, ...options });
    pools.push(db);
    return db;
  };
  await migrate(connect({ max: 1 }), o.folders);
  return {
    connect,
    async restart() {
      const server = running(dir);
      if (server) process.kill(server.pid, "SIGQUIT");
      while (running(dir)) await Bun.sleep(5);
      await startPostgres({ dir, port, password, settings });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(pools.map((db) => db.close(0)));
      await stopPostgres(dir);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
