import { z } from "zod";

// The agent's HTTP contract: snake_case on the wire, a bearer token on every route except /health. Answers are
// read tolerantly (unknown members dropped, absent ones defaulted), since agents of several versions run at once.

const port = z.number().int().min(1).max(65_535);
const word = z.string().min(1).max(64);

const common = {
  vmid: z.number().int().positive(),
  /** What the workload may use, in MiB. */
  memory_mb: z.number().int().min(128).max(1_048_576),
  /** Start the game once it is installed. */
  auto_start: z.boolean().default(false),
};

export const GameConfig = z.object({
  ...common,
  container_type: z.literal("game"),
  game: word,
  variant: word,
  version: word,
  /** Name of the world's folder below the server's. */
  world: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/)
    .default("world"),
  /** Where the game listens for players. */
  game_port: port.default(25_565),
});
export type GameConfig = z.infer<typeof GameConfig>;

export const DevConfig = z.object({
  ...common,
  container_type: z.literal("dev"),
  runtime: word,
  version: word.optional(),
  enable_code_server: z.boolean().default(false),
  /** Where the hosted IDE listens. */
  ide_port: port.default(6000),
});
export type DevConfig = z.infer<typeof DevConfig>;

/** Body of POST /config. */
export const AgentConfig = z.discriminatedUnion("container_type", [GameConfig, DevConfig]);
export type AgentConfig = z.infer<typeof AgentConfig>;
/** What a caller writes: members with a default may be left out. */
export type AgentConfigInput = z.input<typeof AgentConfig>;

export const AgentState = z.enum([
  "idle",
  "installing",
  "starting",
  "running",
  "stopping",
  "crashed",
  "error",
]);
export type AgentState = z.infer<typeof AgentState>;

export const CrashClass = z.enum([
  "oom",
  "mod_or_plugin_error",
  "missing_dependency",
  "nonzero_exit",
  "unexpected_exit",
]);
export type CrashClass = z.infer<typeof CrashClass>;

export const Crash = z.object({
  /** Crashes in a row; back at 0 once the workload has been up long enough. */
  count: z.number().int().nonnegative(),
  time: z.iso.datetime(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  /** Seconds between start and crash. */
  uptime: z.number().nonnegative(),
  /** The last lines of the console, without colour codes. */
  log_tail: z.string(),
  class: CrashClass,
  /** When the agent tries again by itself; null when it does not. */
  next_start_at: z.iso.datetime().nullable().default(null),
});
export type Crash = z.infer<typeof Crash>;

export const AgentOperation = z.object({
  type: z.enum(["install", "start", "stop", "restart"]).or(z.string()),
  started_at: z.iso.datetime(),
});
export type AgentOperation = z.infer<typeof AgentOperation>;

/** Answer of GET /status. */
export const AgentStatus = z.object({
  state: AgentState,
  container_type: z.enum(["game", "dev"]).nullable().default(null),
  configured: z.boolean().default(true),
  installed: z.boolean().default(true),
  /** What the installation does at the moment; null unless the state is `installing`. */
  install_step: z.string().nullable().default(null),
  /** The mutating operation that runs now. */
  operation: AgentOperation.nullable().default(null),
  /** The last power action asked for was a start: an agent that was restarted does not act on it by itself. */
  meant_to_run: z.boolean().default(false),
  started_at: z.iso.datetime().nullable().default(null),
  crash: Crash.nullable().default(null),
  /** Why the state is `error`. */
  error: z.object({ code: z.string(), message: z.string() }).nullable().default(null),
  /** Of a dev container that was to have an IDE: whether its host has one; null when none was asked for. */
  code_server: z.object({ available: z.boolean(), reason: z.string().nullable() }).nullable().default(null),
});
export type AgentStatus = z.infer<typeof AgentStatus>;

/** Answer of GET /health: this process lives; nothing more, and no token needed. */
export const Health = z.object({ ok: z.boolean() });
export type Health = z.infer<typeof Health>;

/** Answer of GET /ready, always with status 200: whether a player could join, or a developer work, now. */
export const Ready = z.object({
  ready: z.boolean(),
  /**
   * `ok`, or why not: a state, `not_configured`, `no_answer`, `workspace_missing`, `runtime_missing`. A dev container
   * without the IDE that was asked for is ready all the same: `ok_without_code_server`.
   */
  reason: z.string().nullable().default(null),
  latency_ms: z.number().nonnegative().optional(),
  players: z.object({ online: z.number().int(), max: z.number().int() }).optional(),
});
export type Ready = z.infer<typeof Ready>;

/** Answer of GET /version. */
export const Version = z.object({
  agent: z.string(),
  version: z.string(),
  contract: z.number().int().default(1),
});
export type Version = z.infer<typeof Version>;

/** Answer of GET /game/players. */
export const Players = z.object({
  online: z.number().int().nonnegative(),
  max: z.number().int().nonnegative(),
  players: z.array(z.object({ name: z.string(), id: z.string() })).default([]),
});
export type Players = z.infer<typeof Players>;

/** Body of POST /console/command: one line, without control characters. */
export const ConsoleCommand = z.object({
  command: z
    .string()
    .min(1)
    .max(1024)
    // oxlint-disable-next-line no-control-regex
    .regex(/^[^\u0000-\u001f\u007f]*$/, "one line without control characters"),
});
export type ConsoleCommand = z.infer<typeof ConsoleCommand>;

/** Answer of every mutation: 202 when work has begun, 200 when there was nothing to do. */
export const Accepted = z.object({
  ok: z.boolean().default(true),
  state: AgentState.optional(),
  operation: AgentOperation.nullable().optional(),
});
export type Accepted = z.infer<typeof Accepted>;

/** Body of every answer of 400 and above. */
export const AgentFailure = z.object({
  error: z.string(),
  code: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  /** What holds the agent, where the code is `operation.busy`. */
  operation: AgentOperation.optional(),
});
export type AgentFailure = z.infer<typeof AgentFailure>;
