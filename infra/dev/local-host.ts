import { closeSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#shared/process/clock.ts";
import {
  isRunning,
  listProcesses,
  signalGroup,
  signalProcess,
  type ProcessInfo,
} from "#shared/process/proc.ts";
import { openRotated } from "./log-file.ts";

export type LocalHost = { pid: number; port: number; url: string; adopted: boolean };

export type LocalHostOptions = {
  command: string[];
  cwd: string;
  /** LOCAL_HOST_HOME, where the daemon writes the port that it chose. */
  home: string;
  token: string;
  env: Record<string, string>;
  logFile: string;
  clock: Clock;
  timeoutMs: number;
};

/**
 * Starts the local host on `port`, or adopts the one that works in this home: customers' servers hang
 * on it, so it outlives a launcher that was killed. Resolves when it answers.
 */
export async function startLocalHost(o: LocalHostOptions, port: number): Promise<LocalHost> {
  const survivor = find(o);
  const { pid, hasEnded } = survivor
    ? { pid: survivor.pid, hasEnded: () => !isRunning(survivor) }
    : spawn(o, port);
  const deadline = o.clock.now() + o.timeoutMs;
  for (;;) {
    const found = readPort(o.home);
    if (found && (await answers(found, o.token))) {
      return { pid, port: found, url: `http://127.0.0.1:${found}`, adopted: survivor !== undefined };
    }
    if (hasEnded()) throw new Error(`the local host ended while it started; its log: ${o.logFile}`);
    if (o.clock.now() > deadline) throw new Error(`the local host does not answer; its log: ${o.logFile}`);
    await o.clock.sleep(10);
  }
}

/** Stops it and, through it, all agents in order; kills it after `graceMs`. */
export async function stopLocalHost(o: LocalHostOptions, graceMs: number): Promise<void> {
  const host = find(o);
  if (!host) return;
  signalProcess(host, "SIGTERM");
  const deadline = o.clock.now() + graceMs;
  while (isRunning(host)) {
    if (o.clock.now() > deadline) signalGroup(host.group, "SIGKILL");
    await o.clock.sleep(10);
  }
}

function spawn(o: LocalHostOptions, port: number): { pid: number; hasEnded(): boolean } {
  rmSync(join(o.home, "port"), { force: true });
  const log = openRotated(o.logFile);
  const child = Bun.spawn(o.command, {
    cwd: o.cwd,
    env: { ...o.env, LOCAL_HOST_PORT: String(port) },
    stdin: "ignore",
    stdout: log,
    stderr: log,
    detached: true,
  });
  closeSync(log);
  child.unref();
  return { pid: child.pid, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

/** The daemon of this home, whoever started it. */
function find(o: LocalHostOptions): ProcessInfo | undefined {
  const script = o.command.at(-1) ?? "";
  return listProcesses().find(
    ({ pid, command }) => command.at(-1) === script && environment(pid).includes(`LOCAL_HOST_HOME=${o.home}`),
  );
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // ended, or another user's
  }
}

function readPort(home: string): number | undefined {
  try {
    return Number(readFileSync(join(home, "port"), "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

async function answers(port: number, token: string): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${port}/health`, { headers, signal: AbortSignal.timeout(1_000) }))
      .ok;
  } catch {
    return false;
  }
}
