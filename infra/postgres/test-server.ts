import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startPostgres, stopPostgres, superuser } from "./embedded.ts";

/** How long the server waits for another user after the last one left: test files of one run follow each other. */
const defaultLingerMs = 5_000;

/**
 * The Postgres that all test processes of one user and checkout share: `test-server.ts <socket name> <dir> [linger ms]`.
 *
 * It lives as long as anybody is connected to its socket, and a little longer; then it stops Postgres, removes its
 * directory and ends. The kernel closes the sockets of a killed test run, and refuses a second listener on the same
 * (abstract) name, so there are no lock files, no process ids to distrust, and nothing to clean up by hand.
 * A user is sent one line when the server is ready; the connection string is in `<dir>/url`, readable by the user only.
 */
async function main(name: string, dir: string, lingerMs: number): Promise<void> {
  const users = new Set<Bun.Socket>();
  let ready = false;
  let ending = false;
  // Whoever starts a server connects to it at once, unless he was killed meanwhile.
  let timer = setTimeout(() => void end(), defaultLingerMs);
  Bun.listen({
    unix: `\0${name}`,
    socket: {
      open(socket) {
        users.add(socket);
        clearTimeout(timer);
        if (ready && !ending) socket.write("ready\n");
      },
      close(socket) {
        users.delete(socket);
        clearTimeout(timer);
        if (users.size === 0) timer = setTimeout(() => void end(), lingerMs);
      },
      data() {},
    },
  });
  const begun = begin(dir);
  async function end(): Promise<void> {
    // We hold the name until everything is gone: whoever connects meanwhile is cut off, and starts the next server.
    ending = true;
    await begun;
    await stopPostgres(join(dir, "data"));
    rmSync(dir, { recursive: true, force: true });
    process.exit(0);
  }
  await begun;
  ready = true;
  if (!ending) for (const socket of users) socket.write("ready\n");
}

async function begin(dir: string): Promise<void> {
  const data = join(dir, "data");
  // A server killed with -9 leaves its Postgres and its directory behind.
  await stopPostgres(data);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { mode: 0o711 });
  const password = crypto.randomUUID();
  const { port } = await startPostgres({ dir: data, password, settings });
  const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  writeFileSync(join(dir, "url"), url, { mode: 0o600 });
}

// Durability and background work cost time and mean nothing here; autovacuum would hold on to templates.
const settings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  autovacuum: "off",
  max_connections: 300,
  shared_buffers: "64MB",
  deadlock_timeout: "100ms",
  log_min_messages: "panic",
};

const [name, dir, lingerMs = defaultLingerMs] = process.argv.slice(2);
if (import.meta.main && name && dir) await main(name, dir, Number(lingerMs));
