// The three parts below the services. Each is the embedded one, kept alive, or what the settings name instead.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureNatsServer } from "#infra/nats/install.ts";
import { startNats, stopNats } from "#infra/nats/server.ts";
import { quietPort } from "#infra/quiet-port.ts";
import { startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { ensureRoles } from "#infra/postgres/roles.ts";
import { baseEnvironment, createContext } from "./context.ts";
import { keep, type Keeper } from "./keep.ts";
import { startLocalHost, stopLocalHost } from "./local-host.ts";
import { pause, type StackOptions } from "./options.ts";

export type Part = {
  /** Resolves with its URL once it serves and is prepared for the services. */
  start(): Promise<string>;
  stop(): Promise<void>;
};

type Served = { pid: number; port: number; adopted: boolean };

const outcome = ({ port, adopted }: Served) => `${adopted ? "adopted" : "started"} on port ${port}`;

/** Postgres; its URL is the administrator's. `users` get a role and a schema each. */
export function databasePart(o: StackOptions, users: readonly string[]): Part {
  const { settings, secrets } = o;
  const dir = join(settings.home, "postgres/data");
  const roles = users.map((name) => ({ name, password: secrets.database[name] ?? "" }));
  const keeper = keeperOf(o, "postgres", {
    start: (port) => startPostgres({ dir, password: secrets.postgres, ...(port ? { port } : {}) }),
    stop: () => stopPostgres(dir, o.timing.stop.database),
  });
  const given = settings.databaseUrl;
  return started(o, "postgres", given ? undefined : keeper, async (served) => {
    const url = given ?? `postgres://${superuser}:${secrets.postgres}@127.0.0.1:${served?.port}/postgres`;
    const prepared = ensureRoles(url, roles);
    await (given ? blaming("DATABASE_URL", "an administrator's connection is needed", prepared) : prepared);
    return url;
  });
}

/** NATS; `prepareBus` has run on it. */
export function busPart(o: StackOptions): Part {
  const { settings, secrets } = o;
  const dir = join(settings.home, "nats");
  const password = (user: string) => (user === "admin" ? secrets.natsAdmin : secrets.nats[user]) ?? "";
  const config = o.authorization(password);
  const prepare = (url: string) => o.prepareBus({ url, user: "admin", password: secrets.natsAdmin });
  const keeper = keeperOf(o, "nats", {
    start: async (port) => {
      const binary = await ensureNatsServer(o.progress.line);
      return await startNats({ binary, dir, config, ...(port ? { port } : {}) });
    },
    stop: () => stopNats(dir, o.timing.stop.bus),
    again: ({ url }) => prepare(url),
  });
  const given = settings.natsUrl;
  return started(o, "nats", given ? undefined : keeper, async (served) => {
    // A server of somebody else knows our users only if it includes this file.
    const users = join(settings.home, "nats-users.conf");
    if (given) writeFileSync(users, config, { mode: 0o600 });
    const url = given ?? `nats://127.0.0.1:${served?.port}`;
    const prepared = prepare(url);
    await (given ? blaming("NATS_URL", `its configuration must include ${users}`, prepared) : prepared);
    return url;
  });
}

/** The local host, by its entry in the table; undefined while another host driver is configured. */
export function hostPart(o: StackOptions): Part | undefined {
  const { settings } = o;
  const spec = o.processes.find(({ kind }) => kind === "host");
  if (!spec || !settings.usesLocalHost) return undefined;
  const context = createContext(o, { databaseUrl: "", natsUrl: "", localHostUrl: undefined });
  const env = { ...baseEnvironment(o), ...spec.env(context) };
  const options = {
    command: [process.execPath, "--no-env-file", join(settings.root, spec.entry)],
    cwd: settings.root,
    home: env["LOCAL_HOST_HOME"] ?? "",
    token: o.secrets.localHost,
    env,
    logFile: join(settings.logs, `${spec.name}.log`),
    clock: o.clock,
    timeoutMs: 30_000,
  };
  const keeper = keeperOf(o, spec.name, {
    start: async (port) => startLocalHost(options, port ?? (await quietPort())),
    stop: () => stopLocalHost(options, o.timing.stop.host),
  });
  return started(o, spec.name, keeper, (served) => Promise.resolve(`http://127.0.0.1:${served?.port}`));
}

/** What a server of somebody else refuses is told by the setting that names it, whose value may hold a password. */
async function blaming(setting: string, need: string, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw new Error(`what ${setting} names cannot be used (${reasonOf(cause)}); ${need}.`, { cause });
  }
}

/** The words at the bottom of an error: those above only say that something is away. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}

function keeperOf<D extends Served>(
  o: StackOptions,
  name: string,
  daemon: Pick<Parameters<typeof keep<D>>[0], "start" | "stop" | "again">,
): Keeper<D> {
  return keep({
    ...daemon,
    name,
    tell: o.progress.line,
    clock: o.clock,
    watchMs: o.timing.watch,
    backoffMs: pause(o.timing),
  });
}

/** Starts the keeper, if there is one, then prepares; both are one step to the people who wait. */
function started(
  o: StackOptions,
  name: string,
  keeper: Keeper<Served> | undefined,
  prepare: (served: Served | undefined) => Promise<string>,
): Part {
  return {
    start: () =>
      o.progress.step(name, async () => {
        const served = await keeper?.start();
        const value = await prepare(served);
        return { value, detail: served ? outcome(served) : "as configured" };
      }),
    stop: async () => await keeper?.stop(),
  };
}
