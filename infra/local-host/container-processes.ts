import { readFileSync, readlinkSync } from "node:fs";
import type { Clock } from "#shared/process/clock.ts";
import { listProcesses, type ProcessInfo, signalProcess } from "#shared/process/proc.ts";

/** What tells a container's processes from all others. */
export type Territory = {
  directory: string;
  /** The container's own user; undefined when agents run as the host's user. */
  uid: number | undefined;
  /** The folder of agent binaries: the game runs by the same executable. */
  agents: string;
};

const killTimeoutMs = 5000;
const pollMs = 10;

/** Every live process of a container: the agent, and what it or a game left behind when it was killed. */
export function processesOf(territory: Territory): ProcessInfo[] {
  return listProcesses().filter((found) => found.pid !== process.pid && belongs(found, territory));
}

/**
 * As a container's end takes all of its processes along, so does this: kills them until none is left, and answers
 * how many there were. Throws when one cannot be killed (it hangs in the kernel).
 */
export async function killProcesses(territory: Territory, clock: Clock): Promise<number> {
  const killed = new Set<number>();
  for (const until = clock.now() + killTimeoutMs; ;) {
    const left = processesOf(territory);
    if (left.length === 0) return killed.size;
    if (clock.now() > until) throw new Error(`process ${left[0]?.pid} cannot be killed`);
    for (const found of left) {
      signalProcess(found, "SIGKILL");
      killed.add(found.pid);
    }
    await clock.sleep(pollMs);
  }
}

/**
 * Two hosts on one machine may share a uid, so the user alone is never enough; without users of their own, the
 * environment that we gave must be there, or our executable at work in the directory (not a person's editor).
 */
function belongs({ pid, command }: ProcessInfo, { directory, uid, agents }: Territory): boolean {
  if (userOf(pid) !== (uid ?? process.getuid?.())) return false;
  const environment = read(`/proc/${pid}/environ`).split("\0");
  const ours = (entry: string) => entry === `AGENT_ROOT=${directory}` || isWithin(entry, `HOME=${directory}`);
  if (environment.some(ours)) return true;
  if (uid === undefined && !linkOf(pid, "exe").startsWith(`${agents}/`)) return false;
  return [linkOf(pid, "cwd"), ...command].some((path) => isWithin(path, directory));
}

/** The effective user of a process. */
function userOf(pid: number): number | undefined {
  const match = /^Uid:\s+\d+\s+(\d+)/m.exec(read(`/proc/${pid}/status`));
  return match ? Number(match[1]) : undefined;
}

// Without the right to look (root in a container, at another user's process), the command line has to do.
function linkOf(pid: number, name: "cwd" | "exe"): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return "";
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const isWithin = (path: string, directory: string) => path === directory || path.startsWith(`${directory}/`);
