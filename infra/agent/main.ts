import { createLogger } from "#shared/telemetry/log.ts";
import { startAgent } from "./agent.ts";
import { readEnvironment } from "./environment.ts";
import { guardProcess } from "./guard.ts";
import { readAdmission } from "./token.ts";

const log = createLogger("agent");

try {
  guardProcess();
  const settings = readEnvironment(process.env);
  const agent = startAgent({ ...settings, admission: await readAdmission(Bun.stdin.stream()), log });
  log.info({ port: agent.port }, "the agent is up");
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "the agent stops");
    await agent.stop();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void stop(signal));
} catch (error) {
  log.fatal({ err: error }, "the agent cannot start");
  process.exit(1);
}
