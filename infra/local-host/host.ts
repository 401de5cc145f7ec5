import { rm } from "node:fs/promises";
import { join } from "node:path";
import { findRuntimes } from "#infra/agent/dev/runtimes.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { agentBinary, removeOldBinaries } from "./agent-binary.ts";
import type { Config } from "./config.ts";
import { createContainers } from "./containers.ts";
import { removeTemporaries, writeAtomic } from "./files.ts";
import { heldPorts } from "./held-ports.ts";
import { lockHome } from "./host-lock.ts";
import { purgeForsaken } from "./origin.ts";
import { startPackageStore } from "./package-store.ts";
import { preparePlace } from "./place.ts";
import { recordStore } from "./record.ts";
import { serialByKey } from "./serial.ts";
import { serveHost } from "./server.ts";

export type Host = {
  port: number;
  url: string;
  /** Stops every agent, then the host. Resolves when all are gone; a second call waits for the first. */
  stop(): Promise<void>;
};

const packageRetryMs = [5000, 30_000, 300_000];

/** Starts the local host; resolves when it listens and every living agent is adopted. */
export async function startHost(config: Config, o: { clock: Clock; log: Logger }): Promise<Host> {
  const { clock, log } = o;
  const place = await preparePlace(config);
  const lock = lockHome(config.home);
  await removeTemporaries(config.home);
  const ending = new AbortController();
  const found = findRuntimes();
  const binary = agentBinary({ entry: config.agentEntry, directory: place.agents, signal: ending.signal });
  const containers = createContainers({
    ...config,
    place,
    records: recordStore(place.records),
    machines: new Map(),
    lock: serialByKey(),
    ports: heldPorts(),
    binary,
    clock,
    log,
  });
  await containers.restore();
  const packages = startPackageStore({
    source: config.packageSource,
    store: place.packages,
    isolated: place.isolated,
    retryMs: packageRetryMs,
    clock,
    log,
  });
  const purging = purge(config.sharedRoot, place.isolated, log);
  // Built ahead, so that the first start does not wait; if it fails, that start tries again and says so.
  binary()
    .then((current) => removeOldBinaries(place.agents, new Set([...containers.binariesInUse(), current])))
    .catch((error: unknown) => log.warn({ err: error }, "the agent could not be built ahead"));

  const runtimes = (await found).map(({ id, name, version }) => ({ id, name, version }));
  const server = serveHost({
    port: config.port,
    token: config.token,
    containers,
    health: () => ({ status: "ok", node: "local", packages: packages.state(), runtimes }),
    log,
  });
  const port = server.port ?? config.port;
  const portFile = join(config.home, "port");
  await writeAtomic(portFile, `${port}\n`, 0o644);
  log.info({ port, isolated: place.isolated }, "the local host listens");

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    ending.abort();
    await Promise.all([containers.shutdown(), packages.stop(), purging]);
    await server.stop(true);
    await rm(portFile, { force: true });
    lock.release();
    log.info({}, "the local host has stopped");
  };
  return { port, url: `http://127.0.0.1:${port}`, stop: () => (stopped ??= stop()) };
}

/** Only root has a shared root. What fails is tried again at the next start. */
async function purge(sharedRoot: string, isolated: boolean, log: Logger): Promise<void> {
  if (!isolated) return;
  await purgeForsaken(sharedRoot, log).catch((error: unknown) =>
    log.warn({ err: error }, "what homes that are gone have left could not be removed"),
  );
}
