import { systemClock } from "#shared/process/clock.ts";
import { onStop, ready } from "#shared/process/lifecycle.ts";
import { isRunning, readProcess } from "#shared/process/proc.ts";
import { createLogger } from "#shared/telemetry/log.ts";
import { readConfig } from "./config.ts";
import { startHost } from "./host.ts";

// Beyond an agent's own time to stop: for killing it, and for an operation under way.
const stopReserveMs = 15_000;

async function main(): Promise<void> {
  // Agents of other users read their executable and packages, whatever the umask of who started us.
  process.umask(0o022);
  const config = readConfig(process.env);
  const log = createLogger("local-host", config.logLevel);
  const stopMs = config.stopTimeoutMs + stopReserveMs;
  const stop = onStop(log, { stepMs: stopMs, totalMs: stopMs });
  const starting = startHost(config, { clock: systemClock, log });
  stop.last("host", async () => (await starting).stop());
  await starting;
  ready();
  if (config.parent !== undefined) await stopWithParent(config.parent, config.watchMs);
}

async function stopWithParent(pid: number, watchMs: number): Promise<void> {
  const lives = () => parent !== undefined && isRunning(parent);
  const parent = readProcess(pid);
  while (lives()) await systemClock.sleep(watchMs);
  process.kill(process.pid, "SIGTERM");
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
