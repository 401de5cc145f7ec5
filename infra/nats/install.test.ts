import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer } from "./install.ts";

const tools = mkdtempSync(join(tmpdir(), "zpack-tools-"));
afterAll(() => rmSync(tools, { recursive: true }));

function plant(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "nats-server");
  writeFileSync(file, "#!/bin/sh\n");
  chmodSync(file, 0o755);
  return file;
}

test("the server on PATH comes first", () => {
  const file = plant(join(tools, "bin"));
  expect(findNatsServer(tools, join(tools, "bin"))).toBe(file);
});

test("a PATH without the system's sbin folders, as ordinary users have it, is no obstacle", () => {
  plant(join(tools, "nats-server/usr/sbin"));
  expect(findNatsServer(tools, "/nonexistent")).toEndWith("/sbin/nats-server");
});
