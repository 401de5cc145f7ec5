// The stack: what is started in which order, and stopped in the opposite one.
import { join } from "node:path";
import type { ProcessSpec, StackContext } from "#infra/processes.ts";
import { baseEnvironment, createContext } from "./context.ts";
import { busPart, databasePart, hostPart } from "./daemons.ts";
import { openLogFile } from "./log-file.ts";
import { pause, type StackOptions } from "./options.ts";
import { type Supervised, supervise } from "./supervise.ts";

export type Stack = {
  /** Resolves when the gateway serves. */
  start(): Promise<void>;
  /** Stops whatever runs, also in the middle of a start; a second call waits for the first. */
  stop(): Promise<void>;
};

/** The processes of the table that have a database and a user of the bus of their own. */
export const meshMembers = (processes: readonly ProcessSpec[]) =>
  processes.filter(({ kind }) => kind !== "host").map(({ name }) => name);

export function createStack(o: StackOptions): Stack {
  const { timing } = o;
  const database = databasePart(o, meshMembers(o.processes));
  const bus = busPart(o);
  const host = hostPart(o);
  const running: Record<"service" | "gateway", Supervised[]> = { service: [], gateway: [] };
  let stopping = false;
  let starting: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  const launchAll = (kind: "service" | "gateway", context: StackContext) => {
    if (stopping) throw new Error("stopped while it started");
    const specs = o.processes.filter((spec) => spec.kind === kind);
    return together(
      specs.map((spec) =>
        o.progress.step(spec.name, async () => {
          const process = superviseSpec(o, spec, context);
          running[kind].push(process);
          await process.ready;
          return { value: undefined, detail: "ready" };
        }),
      ),
    );
  };
  const stopAll = (kind: "service" | "gateway", graceMs: number) =>
    Promise.all(running[kind].map((process) => process.stop(graceMs)));

  async function start(): Promise<void> {
    const [databaseUrl, natsUrl, localHostUrl] = await together([
      database.start(),
      bus.start(),
      host?.start(),
    ]);
    const context = createContext(o, { databaseUrl, natsUrl, localHostUrl });
    await launchAll("service", context);
    await launchAll("gateway", context);
  }

  async function stop(): Promise<void> {
    stopping = true;
    await stopAll("gateway", timing.stop.gateway);
    await stopAll("service", timing.stop.service);
    // A start that was cut short begins nothing new, but what it waits for must be there before it can be stopped.
    await starting?.catch(() => {});
    await host?.stop();
    await bus.stop();
    await database.stop();
  }

  return { start: () => (starting ??= start()), stop: () => (stopped ??= stop()) };
}

function superviseSpec(o: StackOptions, spec: ProcessSpec, context: StackContext): Supervised {
  const { settings, timing } = o;
  return supervise({
    name: spec.name,
    // A launcher killed with -9 takes its services along: nothing would watch them any more.
    command: [process.execPath, "--no-orphans", "--no-env-file", join(settings.root, spec.entry)],
    cwd: settings.root,
    env: { ...baseEnvironment(o), ...spec.env(context) },
    log: openLogFile(join(settings.logs, `${spec.name}.log`)),
    mirror: settings.mirrorLogs,
    tell: o.progress.line,
    clock: o.clock,
    backoffMs: pause(timing),
    steadyMs: timing.steady,
    attempts: timing.attempts,
  });
}

/** All of them, and only then the first error: nobody is left behind half started. */
async function together<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
