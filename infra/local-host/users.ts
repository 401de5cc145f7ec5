import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Under root, who a container's processes are. */
export type Users = {
  /** Owner of the files; what the workload is, and what the agent is towards files. */
  workload: number;
  /** The agent's real user: the workload can neither signal nor inspect it. */
  agent: number;
  /** A group of no file, which no process can leave: by it, all that a container started is found. */
  mark: number | undefined;
};

// Above every workload's number (the largest base, and the largest vmid), below 2^31, as some tools read them signed.
const agentOffset = 1_020_000_000;
const firstMark = 1_100_000_000;
const marks = 2 ** 29;

/**
 * The users of the container that works in `directory` and whose files belong to `workload`. In a user namespace that
 * has no such numbers, the agent is the workload's user and there is no mark: the kernel closes it to inspection still.
 */
export function usersOf(workload: number, directory: string, has = ofThisNamespace): Users {
  const digest = createHash("sha256").update(directory).digest();
  const agent = workload + agentOffset;
  const mark = firstMark + (digest.readUInt32BE() % marks);
  return {
    workload,
    agent: has("uid", agent) ? agent : workload,
    mark: has("gid", mark) ? mark : undefined,
  };
}

/**
 * The real user of an agent: its own. The agent may not be started with no_new_privs, as exec would make real and
 * effective user the same (its workloads are); a host that was itself started so can only give it the workload's user.
 */
export function realUserOf({ agent, workload }: Users): number {
  return /^NoNewPrivs:\s+1$/m.test(readFileSync("/proc/self/status", "utf8")) ? workload : agent;
}

/** Each line of the map: first number inside, first outside, how many. */
function ofThisNamespace(kind: "uid" | "gid", id: number): boolean {
  const lines = readFileSync(`/proc/self/${kind}_map`, "utf8").trim().split("\n");
  return lines.some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
}
