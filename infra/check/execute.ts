// Runs the commands of the checks so that nothing outlives them: each in a process group of its own, which is killed when the
// command has ended, and all marked by an environment variable, by which even a process that left its group is found. What
// sheds both, as daemons and their agents do, was seen while whoever started it still lived.
import { readFileSync } from "node:fs";
import {
  isRunning,
  listProcesses,
  type ProcessInfo,
  signalGroup,
  signalProcess,
} from "#shared/process/proc.ts";

const mark = `ZPACK_CHECK=${crypto.randomUUID()}`;
const groups = new Set<number>();
/** Descendants, by pid and start time, as of the last look. */
const seen = new Set<string>();
const lookMs = 500;

// A developer's settings (a .env with real keys, say) must not reach a test: only these pass, whatever else is set.
const passed = ["PATH", "HOME", "USER", "LANG", "TERM", "TMPDIR", "CI", "FULL", "FORCE_COLOR", "NO_COLOR"];

export function checkEnvironment(source: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(passed.flatMap((name) => (source[name] ? [[name, source[name]]] : [])));
}

/** Runs `command` to its end, its output going straight to ours; answers the exit code, 128 + n after signal n. */
export async function execute(command: string[], cwd: string, env: Record<string, string>): Promise<number> {
  const [name = "", value = ""] = mark.split("=");
  const child = Bun.spawn(command, {
    cwd,
    env: { ...env, [name]: value },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    detached: true,
  });
  groups.add(child.pid);
  const watch = setInterval(look, lookMs);
  const code = await child.exited;
  clearInterval(watch);
  signalGroup(child.pid, "SIGKILL");
  groups.delete(child.pid);
  return code;
}

/**
 * Ends every command that runs now, and everything that descends from one. The groups are killed at once; a launcher, which
 * has left them, is asked to stop its stack in order and gets `patienceMs` for it. Then whatever is left is killed.
 */
export async function endAll(patienceMs = 15_000): Promise<void> {
  look();
  for (const group of groups) signalGroup(group, "SIGKILL");
  const asked = leftovers();
  for (const left of asked) signalProcess(left, "SIGTERM");
  const deadline = performance.now() + patienceMs;
  while (asked.some(isRunning) && performance.now() < deadline) await Bun.sleep(20);
  for (let left = look(); left.length > 0; left = look()) {
    for (const each of left) signalProcess(each, "SIGKILL");
    await Bun.sleep(5);
  }
}

/** Another run in this checkout may use it as well; it ends by itself when nobody does. */
const sharedPostgres = "infra/postgres/test-server.ts";

/** Every living process that was ever seen to descend from this one; the Postgres that test runs share is left out. */
function look(): ProcessInfo[] {
  const all = listProcesses().filter(({ command }) => !command.some((word) => word.endsWith(sharedPostgres)));
  for (let parents = [process.pid]; parents.length > 0;) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    for (const child of children) seen.add(keyOf(child));
    parents = children.map(({ pid }) => pid);
  }
  const living = new Map(all.map((each) => [keyOf(each), each]));
  for (const key of seen) if (!living.has(key)) seen.delete(key);
  return [...living].flatMap(([key, each]) => (seen.has(key) ? [each] : []));
}

const keyOf = ({ pid, startedAt }: ProcessInfo) => `${pid} ${startedAt}`;

/** Marked processes that still run. */
export function leftovers(): ProcessInfo[] {
  return listProcesses().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(mark);
    } catch {
      return false; // ended, or another user's
    }
  });
}
