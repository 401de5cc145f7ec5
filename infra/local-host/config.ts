import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { milliseconds, parseEnv } from "#shared/config/env.ts";

const count = (fallback: number, min = 0) => z.coerce.number().int().min(min).default(fallback);
const absolute = z.string().regex(/^\//, "must be an absolute path");
const list = z
  .string()
  .regex(/^\d+(,\d+)*$/, "must be numbers with commas between them")
  .transform((text) => text.split(",").map(Number));
const range = z
  .string()
  .regex(/^\d+-\d+$/, "must be FROM-TO")
  .transform((text) => {
    const [from = 0, to = 0] = text.split("-").map(Number);
    return { from, to };
  })
  .refine(({ from, to }) => from >= 1 && from <= to && to <= 65_535, "must be a range of ports");

export const Environment = z.object({
  /** 0: a free one, written to HOME/port. */
  LOCAL_HOST_PORT: count(0).pipe(z.number().max(65_535)),
  LOCAL_HOST_TOKEN: z.string().min(16),
  LOCAL_HOST_HOME: absolute,
  /** Folder of the package store; beside the containers unless given. */
  LOCAL_HOST_PACKAGES: absolute.optional(),
  /** The package that the store is filled with: a folder with package.json, one pinned dependency, and bun.lock. */
  LOCAL_HOST_PACKAGE_SOURCE: absolute.default(join(import.meta.dir, "packages/flying-squid")),
  /** Stop in order when this process is gone. */
  LOCAL_HOST_PARENT: z.coerce.number().int().positive().optional(),
  LOCAL_HOST_AGENT_ENTRY: absolute.default(join(import.meta.dir, "../agent/main.ts")),
  /** Where, under root, container directories live when HOME cannot be reached by the agents' users. */
  LOCAL_HOST_SHARED_ROOT: absolute.default("/var/lib/zpack"),
  /** Under root, the agent of a container runs as this number plus its vmid; without it, one that HOME gives. */
  LOCAL_HOST_UID_BASE: z.coerce.number().int().min(1000).optional(),
  LOCAL_HOST_PORT_RANGE: range.prefault("20000-31999"),
  LOCAL_HOST_START_TIMEOUT_MS: count(20_000, 1),
  /** For an agent after SIGTERM, when the host stops or a stop names no time of its own. */
  LOCAL_HOST_STOP_TIMEOUT_MS: milliseconds(20_000),
  /** Waits before an agent that ended by itself is started again; the last one repeats. */
  LOCAL_HOST_RESTART_MS: list.prefault("1000,5000,30000"),
  /** An agent that lived this long begins anew with the first wait. */
  LOCAL_HOST_RESTART_RESET_MS: milliseconds(60_000),
  /** How often an adopted agent and the parent are looked at. */
  LOCAL_HOST_WATCH_MS: count(500, 1),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** Two hosts on one machine hand out equal vmids: a base for each keeps their agents from being one user. */
export const uidBaseOf = (home: string): number =>
  200_000 + 10_000 * (createHash("sha256").update(home).digest().readUInt32BE() % 1000);

export type Config = ReturnType<typeof readConfig>;

/** Reads the settings; throws one error that names every setting that is missing or wrong, without its value. */
export function readConfig(env: Record<string, string | undefined>) {
  const e = parseEnv(Environment, env);
  return {
    port: e.LOCAL_HOST_PORT,
    token: e.LOCAL_HOST_TOKEN,
    home: e.LOCAL_HOST_HOME,
    packages: e.LOCAL_HOST_PACKAGES,
    packageSource: e.LOCAL_HOST_PACKAGE_SOURCE,
    parent: e.LOCAL_HOST_PARENT,
    agentEntry: e.LOCAL_HOST_AGENT_ENTRY,
    sharedRoot: e.LOCAL_HOST_SHARED_ROOT,
    uidBase: e.LOCAL_HOST_UID_BASE ?? uidBaseOf(e.LOCAL_HOST_HOME),
    portRange: e.LOCAL_HOST_PORT_RANGE,
    startTimeoutMs: e.LOCAL_HOST_START_TIMEOUT_MS,
    stopTimeoutMs: e.LOCAL_HOST_STOP_TIMEOUT_MS,
    restartMs: e.LOCAL_HOST_RESTART_MS,
    restartResetMs: e.LOCAL_HOST_RESTART_RESET_MS,
    watchMs: e.LOCAL_HOST_WATCH_MS,
    logLevel: e.LOG_LEVEL,
  };
}
