import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eachLine, openLogFile } from "./log-file.ts";
import { forTerminal } from "./terminal.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zpack-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("lines are appended to what is there, for the owner only", () => {
  const path = join(folder, "a.log");
  for (const line of ["one", "two"]) {
    const log = openLogFile(path);
    log.write(line);
    log.close();
  }
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a log that is too large begins anew, while it is written and when it is opened; one older file is kept", () => {
  const path = join(folder, "a.log");
  const log = openLogFile(path, 10);
  for (const line of ["1111111111", "2222222222", "3"]) log.write(line);
  log.close();
  expect(readFileSync(path, "utf8")).toBe("3\n");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("2222222222\n");
  expect(existsSync(`${path}.2`)).toBe(false);
});

test("lines are put together from pieces, characters too", async () => {
  const bytes = new TextEncoder().encode("one\ntwo €uro\nrest");
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  const lines: string[] = [];
  await eachLine(stream, (line) => void lines.push(line));
  expect(lines).toEqual(["one", "two €uro", "rest"]);
});

const line = (level: number) =>
  JSON.stringify({ level, msg: "it failed", err: { message: "why", stack: "…" } });

test("the terminal shows errors, shortened, and everything on the error stream that is no log line", () => {
  expect(forTerminal(line(30), false)).toBeUndefined();
  expect(forTerminal(line(50), false)).toBe("it failed: why");
  expect(forTerminal("plain", false)).toBeUndefined();
  expect(forTerminal("plain", true)).toBe("plain");
  expect(forTerminal("  ", true)).toBeUndefined();
});
