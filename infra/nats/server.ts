// The embedded NATS server: start, adopt, stop. Like the embedded Postgres it is in a process group of its own and outlives
// a launcher that is killed; the next start finds it by its pid file.
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { isFree, quietPort } from "#infra/quiet-port.ts";
import { isRunning, readProcess, signalProcess } from "#shared/process/proc.ts";

/** A running server. `adopted`: it was already there, started by an earlier process with the same configuration. */
export type NatsServer = { pid: number; port: number; url: string; adopted: boolean };

export type NatsOptions = {
  /** The nats-server executable. */
  binary: string;
  /** Holds configuration, pid file, log and the JetStream store. */
  dir: string;
  /** Added to the configuration: users and their rights. */
  config?: string;
  /** On 127.0.0.1; when absent the one that it had before, if that is free, else another. */
  port?: number;
  jetstream?: boolean;
  timeoutMs?: number;
};

const portsFile = z.object({ nats: z.array(z.string()).min(1) });

/**
 * Starts the server, or adopts the one that runs in `dir` with this very configuration; one that runs with another
 * configuration is stopped first. Rejects with the end of the server's log when it does not become ready.
 */
export async function startNats(o: NatsOptions): Promise<NatsServer> {
  const dir = resolve(o.dir);
  const timeoutMs = o.timeoutMs ?? 10_000;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (let attempt = 1; ; attempt++) {
    const port = o.port ?? (await portBefore(dir)) ?? (await quietPort());
    const configuration = configurationOf(dir, port, o);
    const survivor = running(dir);
    const unchanged = read(configFile(dir)) === configuration;
    const address = survivor && addressOf(dir, survivor.pid);
    if (survivor && address && unchanged) return { pid: survivor.pid, ...address, adopted: true };
    if (survivor) await stopNats(dir, timeoutMs);
    for (const name of readdirSync(dir)) if (name.endsWith(".ports")) rmSync(join(dir, name));
    writeFileSync(configFile(dir), configuration, { mode: 0o600 });
    try {
      return { ...(await launch(o.binary, dir, timeoutMs)), adopted: false };
    } catch (error) {
      // Somebody took the port after our look at it.
      const taken = read(join(dir, "nats.log")).includes("address already in use");
      if (!taken || o.port !== undefined || attempt === 3) throw error;
    }
  }
}

/** The port of the configuration that is there, if its server runs or could run again. */
async function portBefore(dir: string): Promise<number | undefined> {
  const port = Number(/^port: (\d+)$/m.exec(read(configFile(dir)))?.[1]);
  return port && (running(dir) || (await isFree(port))) ? port : undefined;
}

/**
 * Stops the server in order; its store is written. Resolves when the process is gone, at once when none runs.
 * A server that has not ended after `timeoutMs` is killed.
 */
export async function stopNats(directory: string, timeoutMs = 10_000): Promise<void> {
  const server = running(resolve(directory));
  if (!server) return;
  signalProcess(server, "SIGTERM");
  const deadline = performance.now() + timeoutMs;
  while (isRunning(server)) {
    if (performance.now() > deadline) signalProcess(server, "SIGKILL");
    await Bun.sleep(5);
  }
}

/** The server of this directory, if its pid file names a living process with this directory's configuration. */
export function running(directory: string) {
  const dir = resolve(directory);
  const found = readProcess(Number(read(join(dir, "nats.pid")) || "0"));
  return found?.command.includes(configFile(dir)) ? found : undefined;
}

async function launch(binary: string, dir: string, timeoutMs: number) {
  const log = openSync(join(dir, "nats.log"), "w", 0o600);
  const child = Bun.spawn([binary, "-c", configFile(dir)], {
    env: {},
    stdin: "ignore",
    stdout: log,
    stderr: log,
    detached: true,
  });
  closeSync(log);
  child.unref();
  const deadline = performance.now() + timeoutMs;
  while (child.exitCode === null && performance.now() < deadline) {
    const address = addressOf(dir, child.pid);
    if (address) return { pid: child.pid, ...address };
    await Bun.sleep(5);
  }
  child.kill("SIGKILL");
  await child.exited;
  throw new Error(`nats-server did not start; its log ends:\n${read(join(dir, "nats.log")).slice(-2000)}`);
}

/** The server writes this file once it listens. */
function addressOf(dir: string, pid: number): { port: number; url: string } | undefined {
  try {
    const text = read(join(dir, `nats-server_${pid}.ports`));
    const url = new URL(portsFile.parse(JSON.parse(text)).nats[0] ?? "");
    return { port: Number(url.port), url: `nats://127.0.0.1:${url.port}` };
  } catch {
    return undefined; // not there yet, or half written
  }
}

const configFile = (dir: string) => join(dir, "nats.conf");

function configurationOf(dir: string, port: number, o: NatsOptions): string {
  return [
    "host: 127.0.0.1",
    `port: ${port}`,
    "server_name: zpack",
    `pid_file: ${JSON.stringify(join(dir, "nats.pid"))}`,
    `ports_file_dir: ${JSON.stringify(dir)}`,
    ...(o.jetstream === false ? [] : [`jetstream { store_dir: ${JSON.stringify(dir)} }`]),
    o.config ?? "",
  ].join("\n");
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
