import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryRoot } from "../testing/agent.ts";
import { classify, memoryKills } from "./crash.ts";

const failed = { code: 1, signal: null };
const ended = { code: 0, signal: null };
const killed = { code: null, signal: "SIGKILL" };

test.each([
  ["java.lang.OutOfMemoryError: Java heap space", "oom", failed, false],
  ["RangeError: Out of memory", "oom", failed, false],
  ["", "oom", killed, true],
  ["", "unexpected_exit", killed, false],
  ["error: Cannot find package 'x' from '/server/plugins/a.js'", "missing_dependency", failed, false],
  ["java.lang.NoClassDefFoundError: net/fabricmc/api", "missing_dependency", failed, false],
  ["[ERROR] Could not load 'plugins/Shop.jar'", "mod_or_plugin_error", failed, false],
  ["net.fabricmc.loader: Mod resolution failed", "mod_or_plugin_error", failed, false],
  ["Done!\nsomething else", "nonzero_exit", failed, true],
  ["Done!", "unexpected_exit", ended, false],
] as const)("a console that ends in %p is %s", (tail, expected, exit, forMemory) => {
  expect(classify(exit, tail, forMemory)).toBe(expected);
});

test("reads how often the kernel killed for memory, and 0 where it does not tell", () => {
  using place = temporaryRoot();
  const file = join(place.root, "memory.events");
  writeFileSync(file, "low 0\nmax 9\noom 4\noom_kill 3\n");
  expect(memoryKills(file)).toBe(3);
  expect(memoryKills(join(place.root, "none"))).toBe(0);
});
