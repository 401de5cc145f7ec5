import { readFileSync, readlinkSync } from "node:fs";
import type { Clock } from "#shared/process/clock.ts";
import { listProcesses, type ProcessInfo, signalProcess } from "#shared/process/proc.ts";
import type { Users } from "./users.ts";

/** What tells a container's processes from all others. */
export type Territory = {
  directory: string;
  /** The container's own users; undefined when agents run as the host's user. */
  users: Users | undefined;
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
 * Two hosts on one machine may share a user, so the user alone is never enough: the container's mark must be there,
 * which no process can shed. Without users of their own, the environment that we gave must be there, or our executable
 * at work in the directory (not a person's editor).
 */
function belongs({ pid, command }: ProcessInfo, { directory, users, agents }: Territory): boolean {
  const status = read(`/proc/${pid}/status`);
  if (effectiveUser(status) !== (users?.workload ?? process.getuid?.())) return false;
  if (users?.mark !== undefined && groups(status).includes(users.mark)) return true;
  // An agent is closed to everybody but root: of its own kind, the command line is all there is to see.
  if (command.at(-1) === directory && isWithin(command.at(-2) ?? "", agents)) return true;
  const environment = read(`/proc/${pid}/environ`).split("\0");
  const ours = (entry: string) => entry === `AGENT_ROOT=${directory}` || isWithin(entry, `HOME=${directory}`);
  if (environment.some(ours)) return true;
  if (!users && !linkOf(pid, "exe").startsWith(`${agents}/`)) return false;
  return [linkOf(pid, "cwd"), ...command].some((path) => isWithin(path, directory));
}

/** The effective user of a process; undefined when it has ended. */
export const userOf = (pid: number): number | undefined => effectiveUser(read(`/proc/${pid}/status`));

function effectiveUser(status: string): number | undefined {
  const match = /^Uid:\s+\d+\s+(\d+)/m.exec(status);
  return match ? Number(match[1]) : undefined;
}

function groups(status: string): number[] {
  const [, list = ""] = /^Groups:[ \t]*(.*)$/m.exec(status) ?? [];
  return list.split(" ").filter(Boolean).map(Number);
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
