import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#shared/process/clock.ts";
import { killProcesses, processesOf } from "./container-processes.ts";
import { usersOf } from "./users.ts";

let base: string;
let directory: string;
const started: Bun.Subprocess[] = [];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "territory-"));
  directory = join(base, "containers/500");
  for (const name of [directory, `${directory}1`]) mkdirSync(name, { recursive: true });
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  rmSync(base, { recursive: true, force: true });
});

function start(o: { cwd?: string; env?: Record<string, string>; args?: string[] }): Bun.Subprocess {
  const code = ["-e", "setInterval(() => {}, 1000)", ...(o.args ?? [])];
  const child = Bun.spawn([process.execPath, ...code], { cwd: o.cwd ?? "/", env: o.env ?? {} });
  started.push(child);
  return child;
}

test("without users of their own: what carries our environment is the container's, a person's program is not", async () => {
  const ours = [start({ env: { AGENT_ROOT: directory } }), start({ env: { HOME: join(directory, "home") } })];
  const strangers = [
    start({ cwd: directory }),
    start({ args: [join(directory, "server.properties")] }),
    start({ env: { AGENT_ROOT: `${directory}1`, HOME: `${directory}1` } }),
  ];
  const territory = { directory, users: undefined, agents: join(base, "agents") };
  expect(new Set(processesOf(territory).map(({ pid }) => pid))).toEqual(new Set(ours.map(({ pid }) => pid)));
  expect(await killProcesses(territory, systemClock)).toBe(2);
  expect(strangers.map((child) => child.exitCode)).toEqual([null, null, null]);
});

test("our executable at work in the directory is the container's, elsewhere it is not", () => {
  const agents = join(process.execPath, "..");
  const within = [start({ cwd: directory }), start({ args: [join(directory, "world")] })];
  start({ cwd: `${directory}1` });
  const found = processesOf({ directory, users: undefined, agents });
  expect(new Set(found.map(({ pid }) => pid))).toEqual(new Set(within.map(({ pid }) => pid)));
});

test("another user's process is never the container's, whatever it says", () => {
  start({ cwd: directory, env: { AGENT_ROOT: directory } });
  const users = usersOf((process.getuid?.() ?? 0) + 1, directory);
  expect(processesOf({ directory, users, agents: join(process.execPath, "..") })).toEqual([]);
});

test("two containers never share a mark; in a namespace without such numbers there is none, and one user for both", () => {
  const [one, two] = [usersOf(205_001, "/srv/a/5001"), usersOf(205_001, "/srv/b/5001")];
  expect(one.mark).not.toBe(two.mark);
  expect(new Set([one.workload, one.agent, one.mark]).size).toBe(3);
  expect(usersOf(205_001, "/srv/a/5001", () => false)).toEqual({
    workload: 205_001,
    agent: 205_001,
    mark: undefined,
  });
});
