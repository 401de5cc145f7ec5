import { serviceUrl } from "#infra/postgres/roles.ts";
import type { StackContext } from "#infra/processes.ts";
import type { StackOptions } from "./options.ts";
import { operatorEmail } from "./secrets.ts";

/** What every process is given whatever it is; nothing of it is secret. */
const base = ["PATH", "HOME", "TZ", "LOG_LEVEL"];

/** Those of `names` that are set to something. */
export function pick(env: Readonly<Record<string, string | undefined>>, names: readonly string[]) {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

export function baseEnvironment(o: StackOptions): Record<string, string> {
  return pick(o.settings.env, base);
}

/** Puts together what the table of processes may hand out. */
export function createContext(
  o: StackOptions,
  at: { databaseUrl: string; natsUrl: string; localHostUrl: string | undefined },
): StackContext {
  const { settings, secrets } = o;
  return {
    databaseUrl: (name) => serviceUrl(at.databaseUrl, { name, password: passwordOf(secrets.database, name) }),
    natsUrl: at.natsUrl,
    natsUser: (name) => name,
    natsPassword: (name) => passwordOf(secrets.nats, name),
    home: settings.home,
    installation: secrets.installation,
    port: settings.port,
    bind: settings.bind,
    publicUrl: settings.publicUrl,
    secrets: {
      apiAuth: secrets.apiAuth,
      apiAuthIde: secrets.apiAuthIde,
      operatorEmail,
      operatorPassword: secrets.operatorPassword,
    },
    localHostUrl: at.localHostUrl,
    localHostToken: secrets.localHost,
    passthrough: (names) => pick(settings.env, names),
  };
}

function passwordOf(passwords: Record<string, string>, service: string): string {
  const password = passwords[service];
  if (!password) throw new Error(`${service} has no password: it is not in the table of processes`);
  return password;
}
