import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { z } from "zod";
import type { Clock } from "#shared/process/clock.ts";
import { isRunning, readProcess } from "#shared/process/proc.ts";
import { realUserOf, type Users } from "./users.ts";

/** Names one process until the next boot: a pid alone is used again. */
export const ProcessIdentity = z.object({ pid: z.number().int().positive(), startedAt: z.string() });
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

export type AgentProcess = {
  identity: ProcessIdentity;
  /** Milliseconds since the epoch. */
  since: number;
  /** Resolves when the process has ended, or at once when `signal` aborts. */
  gone(signal: AbortSignal): Promise<void>;
};

export type AgentSettings = {
  binary: string;
  directory: string;
  /** The container's own users; undefined: the host's user. */
  users: Users | undefined;
  token: string;
  port: number;
  gamePort: number;
  packages: string;
  logFile: string;
};

const maxLogBytes = 8 * 1024 * 1024;

/**
 * Starts an agent in a session of its own, with nothing of the host's environment, its output in `logFile`: it
 * outlives the host. The token goes over standard input, which nobody can look at afterwards.
 */
export function spawnAgent(o: AgentSettings, clock: Clock): AgentProcess {
  const log = openLog(o.logFile);
  try {
    const child = Bun.spawn([...dropPrivileges(o.users), ...agentArguments(o)], {
      // Not the container's directory: what a customer puts there must not configure the agent.
      cwd: "/",
      env: {
        AGENT_PORT: String(o.port),
        AGENT_PORT_HELD: "1",
        AGENT_BIND: "127.0.0.1",
        AGENT_GAME_PORT: String(o.gamePort),
        AGENT_ROOT: o.directory,
        AGENT_PACKAGE_STORE: o.packages,
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: o.directory,
        LANG: "C.UTF-8",
      },
      stdin: "pipe",
      stdout: log,
      stderr: log,
      detached: true,
    });
    hand(child.stdin, `${o.token}\n`);
    child.unref();
    return {
      // A process that has ended already is not seen any more, and no other has an empty start time.
      identity: { pid: child.pid, startedAt: readProcess(child.pid)?.startedAt ?? "" },
      since: clock.now(),
      gone: (signal) => Promise.race([child.exited.then(() => undefined), aborted(signal)]),
    };
  } finally {
    closeSync(log);
  }
}

/** Takes over an agent that an earlier host started; undefined when it is gone or its pid is a stranger's now. */
export function adoptAgent(
  identity: ProcessIdentity,
  o: Pick<AgentSettings, "binary" | "directory">,
  clock: Clock,
  watchMs: number,
): AgentProcess | undefined {
  const found = readProcess(identity.pid);
  if (found?.startedAt !== identity.startedAt) return undefined;
  // The start time is counted from boot, so the command line is compared as well. Right after the fork it still
  // begins with setpriv, so only its end.
  if (found.command.slice(-2).join("\0") !== agentArguments(o).join("\0")) return undefined;
  return {
    identity,
    since: clock.now(),
    gone: async (signal) => {
      while (!signal.aborted && isRunning(identity)) await clock.sleep(watchMs, signal);
    },
  };
}

/** The directory is named so that the command line tells, even to who may not look further, whose agent it is. */
function agentArguments(o: Pick<AgentSettings, "binary" | "directory">): string[] {
  return [o.binary, o.directory];
}

/** Writes `text` and ends the stream. A process that has ended already does not read it, which its end tells. */
function hand(input: Bun.FileSink, text: string): void {
  void input.write(text);
  void Promise.resolve(input.end()).catch(() => {});
}

/**
 * The agent takes files by the workload's user and is guarded by a real user of its own (infra/agent/guard.ts). Where
 * the two must be one, the kernel still closes it to inspection, not to signals.
 */
function dropPrivileges(users: Users | undefined): string[] {
  if (users === undefined) return [];
  const { workload, mark } = users;
  return [
    "setpriv",
    `--ruid=${realUserOf(users)}`,
    `--euid=${workload}`,
    `--regid=${workload}`,
    mark === undefined ? "--clear-groups" : `--groups=${mark}`,
    "--inh-caps=-all",
    "--bounding-set=-all",
  ];
}

/** The log that is written now, and the one before it. */
export const logFilesOf = (path: string): [string, string] => [path, `${path}.1`];

function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > maxLogBytes) renameSync(...logFilesOf(path));
  return openSync(path, "a", 0o600);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
