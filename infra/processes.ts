import type { z } from "zod";
import { config as gateway } from "#gateway/config.ts";
import { Environment as localHost } from "#infra/local-host/config.ts";
import { baseConfig } from "#shared/config/env.ts";
import { config as billing } from "#services/billing/config.ts";
import { config as provisioning } from "#services/provisioning/config.ts";
import { config as servers } from "#services/servers/config.ts";

// The one table of processes: the launcher, and whatever else runs zpack, starts what is listed here and nothing else.

/** What a process of the stack may be given. Each takes what it needs: no process sees another's secrets. */
export type StackContext = {
  /** Connection string of the service's own role. */
  databaseUrl(service: string): string;
  natsUrl: string;
  natsUser(service: string): string;
  natsPassword(service: string): string;
  /** ZPACK_HOME, absolute. */
  home: string;
  /** Names this installation in ownership marks; made once, never changed. */
  installation: string;
  port: number;
  bind: string;
  /** Where people reach the gateway. */
  publicUrl: string;
  secrets: { apiAuth: string; apiAuthIde: string; operatorEmail: string; operatorPassword: string };
  /** Undefined while another host driver is configured. */
  localHostUrl: string | undefined;
  localHostToken: string;
  /** Those of the launcher's own variables that are set. */
  passthrough(names: readonly string[]): Record<string, string>;
};

/**
 * `service`: started in parallel once Postgres, NATS and the host are there. `gateway`: after all services, stopped
 * first. `host`: outlives a launcher that is killed, because customers' servers hang on it.
 */
export type ProcessSpec = {
  name: string;
  /** Relative to the checkout. */
  entry: string;
  kind: "service" | "gateway" | "host";
  env(c: StackContext): Record<string, string>;
};

/** What every member of the mesh is given, and the settings that its own schema knows: nobody gets another's. */
const member =
  (name: string, config: z.ZodObject, more: (c: StackContext) => Record<string, string> = () => ({})) =>
  (c: StackContext) => ({
    ...c.passthrough([...Object.keys(config.shape), ...Object.keys(baseConfig.shape)]),
    DATABASE_URL: c.databaseUrl(name),
    NATS_URL: c.natsUrl,
    NATS_USER: c.natsUser(name),
    NATS_PASSWORD: c.natsPassword(name),
    ...more(c),
  });

const service = (
  name: string,
  config: z.ZodObject,
  more?: (c: StackContext) => Record<string, string>,
): ProcessSpec => ({
  name,
  entry: `services/${name}/main.ts`,
  kind: "service",
  env: member(name, config, more),
});

export const processes: readonly ProcessSpec[] = [
  {
    name: "local-host",
    entry: "infra/local-host/main.ts",
    kind: "host",
    env: (c) => ({
      ...c.passthrough(Object.keys(localHost.shape)),
      LOCAL_HOST_HOME: `${c.home}/local-host`,
      LOCAL_HOST_TOKEN: c.localHostToken,
    }),
  },
  service("servers", servers),
  service("provisioning", provisioning, (c) => ({
    ZPACK_INSTALLATION: c.installation,
    ...(c.localHostUrl ? { LOCAL_HOST_URL: c.localHostUrl, LOCAL_HOST_TOKEN: c.localHostToken } : {}),
  })),
  service("billing", billing),
  {
    name: "gateway",
    entry: "gateway/main.ts",
    kind: "gateway",
    env: member("gateway", gateway, (c) => ({
      ZPACK_PORT: String(c.port),
      ZPACK_BIND: c.bind,
      ZPACK_PUBLIC_URL: c.publicUrl,
      OPERATOR_EMAIL: c.secrets.operatorEmail,
      OPERATOR_PASSWORD: c.secrets.operatorPassword,
      // The stack's own unless the installation brings one.
      API_AUTH_SECRET: c.secrets.apiAuth,
      ...c.passthrough(["API_AUTH_SECRET"]),
    })),
  },
];
