import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { z } from "zod";
import type { Clock } from "#shared/process/clock.ts";
import { isRunning, readProcess } from "#shared/process/proc.ts";

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
  /** The container's own user; undefined: the host's user. */
  uid: number | undefined;
  token: string;
  port: number;
  packages: string;
  logFile: string;
};

const maxLogBytes = 8 * 1024 * 1024;

/**
 * Starts an agent in a session of its own, with nothing of the host's environment, its output in `logFile`: it
 * outlives the host. The token goes by environment, never by argument.
 */
export function spawnAgent(o: AgentSettings, clock: Clock): AgentProcess {
  const log = openLog(o.logFile);
  try {
    const child = Bun.spawn([...dropPrivileges(o.uid), ...agentArguments(o)], {
      cwd: o.directory,
      env: {
        AGENT_TOKEN: o.token,
        AGENT_PORT: String(o.port),
        AGENT_BIND: "127.0.0.1",
        AGENT_ROOT: o.directory,
        AGENT_PACKAGE_STORE: o.packages,
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: o.directory,
        LANG: "C.UTF-8",
      },
      stdin: "ignore",
      stdout: log,
      stderr: log,
      detached: true,
    });
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

function dropPrivileges(uid: number | undefined): string[] {
  return uid === undefined
    ? []
    : [
        "setpriv",
        `--reuid=${uid}`,
        `--regid=${uid}`,
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--no-new-privs",
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
