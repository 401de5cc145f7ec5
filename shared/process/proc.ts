// What the kernel says about processes (/proc, Linux). A pid alone names nobody: it is reused. A pid with its start time does.
import { readdirSync, readFileSync } from "node:fs";

export type ProcessInfo = {
  pid: number;
  parent: number;
  group: number;
  /** Clock ticks between boot and the start of the process; opaque, only good for comparing. */
  startedAt: string;
  command: string[];
};

/**
 * The process with this pid; undefined when there is none, or when it is a zombie without a thread left: only then are
 * its ports and files free again. Of several threads that are killed the first is a zombie before the others are gone.
 */
export function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command's name in parentheses and may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const threads = Number(fields[17]);
    if ((fields[0] === "Z" && threads <= 1) || fields[0] === "X") return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return { pid, parent: Number(fields[1]), group: Number(fields[2]), startedAt: fields[19] ?? "", command };
  } catch {
    return undefined; // it ended while we looked
  }
}

export function listProcesses(): ProcessInfo[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((found) => found !== undefined);
}

/** Whether the process that was seen as `pid` with this start time still runs. */
export function isRunning(seen: { pid: number; startedAt: string }): boolean {
  return readProcess(seen.pid)?.startedAt === seen.startedAt;
}

/** Signals exactly the process that was seen; false when it is gone, so that a stranger who got its pid is never hit. */
export function signalProcess(seen: { pid: number; startedAt: string }, signal: NodeJS.Signals): boolean {
  return isRunning(seen) && trySignal(seen.pid, signal);
}

/** Signals a whole process group; false when nobody is left in it. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  return trySignal(-group, signal);
}

function trySignal(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false; // it ended meanwhile
  }
}
