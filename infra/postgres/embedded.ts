import {
  chownSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { quietPort } from "#infra/quiet-port.ts";
import { binaries, linkLibraries } from "./binaries.ts";
import { asPostgres, postgresUser } from "./user.ts";

/** A running server. `adopted`: it was already there, started by an earlier process. */
export type Postmaster = { pid: number; port: number; adopted: boolean };

export type StartOptions = {
  /** The data directory; its parent holds `<dir>.log` too. */
  dir: string;
  /** On 127.0.0.1; a free one when absent. A server that already runs keeps its own. */
  port?: number;
  /** Of the superuser `zpack_admin`; it has effect only when the directory is made. */
  password: string;
  /** Postgres settings, for example `{ fsync: "off" }`. */
  settings?: Record<string, string | number>;
  /** How long the server may take to accept connections, recovery after a crash included. */
  timeoutMs?: number;
};

export const superuser = "zpack_admin";

/**
 * Makes the data directory where it is missing, then starts the server on it, or adopts the one that runs there.
 * The server is in a process group of its own: Ctrl-C in the terminal does not reach it before the services drained.
 * Rejects with the end of the server's log when it does not become ready.
 */
export async function startPostgres(options: StartOptions): Promise<Postmaster> {
  const dir = resolve(options.dir);
  const deadline = performance.now() + (options.timeoutMs ?? 30_000);
  if (!existsSync(join(dir, "PG_VERSION"))) initialise(dir, options);
  for (;;) {
    const survivor = await settled(dir, deadline);
    if (survivor) return { ...survivor, adopted: true };
    const port = options.port ?? (await quietPort());
    const started = await launch(dir, port, options.settings ?? {}, deadline);
    if (typeof started === "number") return { pid: started, port, adopted: false };
    // A fixed port that somebody else has is not tried again.
    const hopeless = started === "port taken" && options.port !== undefined;
    if (hopeless || performance.now() > deadline) throw new Error(failure(dir));
    await Bun.sleep(50);
  }
}

/**
 * Stops the server in order: clients are cut, buffers written. Resolves once postmaster.pid is gone, which is the
 * server's own last act; the process entry may outlive it where nobody reaps. Does nothing when no server runs.
 */
export async function stopPostgres(directory: string, timeoutMs = 30_000): Promise<void> {
  const dir = resolve(directory);
  const server = running(dir);
  if (!server) return;
  process.kill(server.pid, "SIGINT");
  const deadline = performance.now() + timeoutMs;
  while (running(dir)) {
    if (performance.now() > deadline)
      throw new Error(`postgres (pid ${server.pid}) did not stop in ${timeoutMs} ms`);
    await Bun.sleep(10);
  }
}

/** What postmaster.pid says, if that process is alive and a Postgres on this very directory; else undefined. */
export function running(directory: string): { pid: number; port: number; ready: boolean } | undefined {
  const dir = resolve(directory);
  try {
    const lines = readFileSync(join(dir, "postmaster.pid"), "utf8").split("\n");
    const pid = Number(lines[0]);
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    // A killed server that nobody reaped yet has an empty command line, so a zombie is not taken for a server.
    if (basename(argv[0] ?? "") !== "postgres" || !argv.includes(dir)) return undefined;
    return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === "ready" };
  } catch {
    return undefined;
  }
}

/** The server that runs on `dir`, once it is ready; undefined when there is none, its stale lock file removed. */
async function settled(dir: string, deadline: number): Promise<{ pid: number; port: number } | undefined> {
  for (;;) {
    const server = running(dir);
    if (!server) break;
    if (server.ready) return { pid: server.pid, port: server.port };
    if (performance.now() > deadline) throw new Error(failure(dir));
    await Bun.sleep(20);
  }
  // The pid in the file is a zombie or belongs to somebody else by now, which Postgres cannot tell from a live
  // server. Backends that outlived theirs are still found by Postgres itself, through the shared memory segment.
  rmSync(join(dir, "postmaster.pid"), { force: true });
  return undefined;
}

/** initdb works in a directory beside the real one, which is renamed when complete: a kill leaves nothing half made. */
function initialise(dir: string, { password, settings }: StartOptions): void {
  const parent = dirname(dir);
  linkLibraries();
  mkdirSync(parent, { recursive: true, mode: 0o711 });
  for (const name of readdirSync(parent)) {
    if (name.startsWith(`${basename(dir)}.init-`)) removeIfPossible(join(parent, name));
  }
  const fresh = `${dir}.init-${crypto.randomUUID()}`;
  const passwordFile = `${fresh}.pw`;
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const user = postgresUser();
  if (user) for (const path of [fresh, passwordFile]) chownSync(path, user.uid, user.gid);
  const command = [join(binaries, "initdb"), "-D", fresh, "-U", superuser, "--pwfile", passwordFile];
  // Who wants no durability afterwards wants none here, where it takes most of the time.
  if (settings?.["fsync"] === "off") command.push("--no-sync");
  const result = Bun.spawnSync(
    asPostgres([...command, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"], [parent, binaries]),
    { stderr: "pipe", cwd: "/", env: {} },
  );
  rmSync(passwordFile);
  if (result.exitCode !== 0) throw new Error(`initdb failed: ${result.stderr.toString().trim()}`);
  rmSync(dir, { recursive: true, force: true });
  renameSync(fresh, dir);
}

/** An initdb that outlived its killed parent may still write there; it fails by itself, and our own name is another. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    return; // removed before the next initdb
  }
}

/** Reasons that pass: a port that somebody took after our look, and backends that outlive a killed server for a moment. */
const passing = {
  "port taken": "could not create any TCP/IP sockets",
  "still in use": "pre-existing shared memory block",
} as const;

/** Starts the server and waits for it: its pid, or why it ended where trying again can help. */
async function launch(
  dir: string,
  port: number,
  settings: Record<string, string | number>,
  deadline: number,
): Promise<number | keyof typeof passing> {
  const given = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const fixed = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
  const log = openSync(`${dir}.log`, "a", 0o600);
  const before = fstatSync(log).size;
  const child = Bun.spawn(
    asPostgres(
      [join(binaries, "postgres"), "-D", dir, "-p", String(port), ...fixed, ...given],
      [dirname(dir), binaries],
    ),
    { detached: true, stdin: "ignore", stdout: log, stderr: log, cwd: "/", env: {} },
  );
  closeSync(log);
  child.unref();
  while (performance.now() < deadline) {
    const server = running(dir);
    if (server?.ready && server.pid === child.pid) return child.pid;
    if (child.exitCode !== null) {
      const said = readFileSync(`${dir}.log`).subarray(before).toString();
      if (said.includes(passing["port taken"])) return "port taken";
      if (said.includes(passing["still in use"])) return "still in use";
      throw new Error(failure(dir));
    }
    await Bun.sleep(10);
  }
  child.kill("SIGQUIT");
  throw new Error(failure(dir));
}

const logTail = (dir: string) => {
  try {
    return readFileSync(`${dir}.log`, "utf8").slice(-2000);
  } catch {
    return "";
  }
};
const failure = (dir: string) => `postgres did not start on ${dir}; its log ends:\n${logTail(dir)}`;
