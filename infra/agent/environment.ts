import { z } from "zod";
import { milliseconds, parseEnv } from "#shared/config/env.ts";
import type { AgentOptions } from "./agent.ts";

const Environment = z.object({
  AGENT_PORT: z.coerce.number().int().min(0).max(65_535).default(18_888),
  /** The host keeps the port for us by a socket of its own: we bind it beside that one. */
  AGENT_PORT_HELD: z.literal("1").optional(),
  /** The address that the agent and its game listen on. */
  AGENT_BIND: z.string().default("127.0.0.1"),
  /** The one directory that the agent writes to; absolute. */
  AGENT_ROOT: z.string().startsWith("/"),
  /** Where the host lets the game listen; its word counts more than that of the configuration, which may be older. */
  AGENT_GAME_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
  /** A folder of installed packages, shared and read-only. */
  AGENT_PACKAGE_STORE: z.string().startsWith("/").optional(),
  /** Milliseconds before the first, second, … restart after a crash; as many restarts as entries. */
  AGENT_CRASH_BACKOFF_MS: z
    .string()
    .regex(/^\d+(,\d+)*$/)
    .default("30000,60000,120000"),
  /** Being up this long ends a row of crashes. */
  AGENT_CRASH_RESET_MS: milliseconds(30_000),
  /** Bound of an ordered stop; then the workload is killed. */
  AGENT_STOP_MS: milliseconds(10_000),
  /** Bound of one server-list ping. */
  AGENT_PING_MS: milliseconds(1500),
});

/** Reads the agent's settings; throws one message that names every variable that is missing or wrong. */
export function readEnvironment(
  variables: Record<string, string | undefined>,
): Omit<AgentOptions, "admission"> {
  const env = parseEnv(Environment, variables);
  return {
    port: env.AGENT_PORT,
    portIsHeld: env.AGENT_PORT_HELD !== undefined,
    bind: env.AGENT_BIND,
    root: env.AGENT_ROOT,
    ...(env.AGENT_GAME_PORT === undefined ? {} : { gamePort: env.AGENT_GAME_PORT }),
    ...(env.AGENT_PACKAGE_STORE === undefined ? {} : { packageStore: env.AGENT_PACKAGE_STORE }),
    timing: {
      crashBackoffMs: env.AGENT_CRASH_BACKOFF_MS.split(",").map(Number),
      crashResetMs: env.AGENT_CRASH_RESET_MS,
      stopMs: env.AGENT_STOP_MS,
      pingMs: env.AGENT_PING_MS,
    },
  };
}
