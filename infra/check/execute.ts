// Runs the commands of the checks so that nothing outlives them: each in a process group of its own, which is killed when the
// command has ended, and all marked by an environment variable, by which even a process that left its group is found.
import { readFileSync } from "node:fs";
import { listProcesses, type ProcessInfo, signalGroup, signalProcess } from "#shared/process/proc.ts";

const mark = `ZPACK_CHECK=${crypto.randomUUID()}`;
const groups = new Set<number>();

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
  const code = await child.exited;
  signalGroup(child.pid, "SIGKILL");
  groups.delete(child.pid);
  return code;
}

/** Ends every command that runs now. */
export function endAll(): void {
  for (const group of groups) signalGroup(group, "SIGKILL");
  for (const left of leftovers()) signalProcess(left, "SIGKILL");
}

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
