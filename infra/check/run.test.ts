import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listProcesses } from "#shared/process/proc.ts";
import { checkEnvironment, endAll, execute, leftovers } from "./execute.ts";
import { runSteps } from "./run.ts";
import type { Step } from "./steps.ts";

afterEach(() => endAll());

const env = checkEnvironment(process.env);

async function run(steps: Step[]) {
  const lines: string[] = [];
  const total = await runSteps(steps, {
    root: tmpdir(),
    temp: tmpdir(),
    say: (line) => void lines.push(line),
    execute: (command, more) => execute(command, tmpdir(), { ...env, ...more }),
    leftovers,
    graceMs: 200,
  });
  return { total, lines };
}

test("all steps run, also after a failed one, and their counts are summed", async () => {
  const { total, lines } = await run([
    { name: "one", run: () => Promise.resolve({ passed: 3, failed: 1, failures: ["a: b"] }) },
    { name: "two", run: () => Promise.reject(new Error("no luck")) },
    { name: "three", run: () => Promise.resolve({ passed: 2, failed: 0 }) },
  ]);
  expect(total).toEqual({ passed: 6, failed: 2 }); // with the look for processes that were left behind
  expect(lines).toContain("Error: no luck");
  expect(lines.at(-1)).toBe("failed: a: b");
});

test("a command's exit code is its answer, 128 + n after signal n", async () => {
  expect(await execute(["sh", "-c", "exit 3"], tmpdir(), env)).toBe(3);
  expect(await execute(["sh", "-c", "kill -9 $$"], tmpdir(), env)).toBe(137);
});

test("what a command left in its group is ended with it", async () => {
  await execute(["sh", "-c", "sleep 60 & exit 0"], tmpdir(), env);
  const { total } = await run([]);
  expect(total).toEqual({ passed: 1, failed: 0 });
});

test("a process that left its group is found, named and counted as a failure", async () => {
  const step: Step = {
    name: "leaky",
    run: async (c) => {
      const up =
        'f=$(mktemp); setsid sh -c "echo >$f; exec sleep 61" & until [ -s "$f" ]; do :; done; rm "$f"';
      await c.execute(["sh", "-c", up]);
      return { passed: 1, failed: 0 };
    },
  };
  const { total, lines } = await run([step]);
  expect(total).toEqual({ passed: 1, failed: 1 });
  expect(lines.some((line) => line.endsWith("sleep 61"))).toBe(true);
});

test("a developer's own settings do not reach a check", async () => {
  expect(checkEnvironment({ PATH: "/bin", FULL: "1", STRIPE_SECRET_KEY: "x", DATABASE_URL: "y" })).toEqual({
    PATH: "/bin",
    FULL: "1",
  });
});

test("a command has no input to wait for", async () => {
  expect(await execute(["cat"], tmpdir(), env)).toBe(0);
});

test("an end takes along what has left its group, its environment and its parent", async () => {
  const marker = `${90_000 + (process.pid % 9_000)}`;
  const command = ["sh", "-c", `env -i setsid sh -c 'sleep ${marker} & wait' & sleep 60`];
  const ended = execute(command, tmpdir(), env);
  const sleeper = () => listProcesses().find((found) => found.command.join(" ") === `sleep ${marker}`);
  while (!sleeper()) await Bun.sleep(5);
  await endAll();
  expect(sleeper()).toBeUndefined();
  expect(await ended).toBe(137);
});

test("an end asks a launcher to stop in order before anything of its stack is killed", async () => {
  const place = mkdtempSync(join(tmpdir(), "zpack-end-"));
  const stopped = join(place, "stopped");
  const launcher = `trap 'echo >${stopped}; exit 0' TERM; echo >${place}/up; while :; do sleep 0.01; done`;
  const ended = execute(["sh", "-c", `setsid sh -c "$1" & sleep 60`, "sh", launcher], tmpdir(), env);
  while (!existsSync(join(place, "up"))) await Bun.sleep(5);
  await endAll();
  expect(existsSync(stopped)).toBe(true);
  await ended;
  rmSync(place, { recursive: true });
});
