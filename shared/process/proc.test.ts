import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { isRunning, readProcess } from "./proc.ts";

const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.[0];

test("a process runs as long as one of its threads does, also when the first of them has ended", async () => {
  // exit(2) ends the calling thread alone; the runtime has others.
  const number = process.arch === "arm64" ? 93 : 60;
  const code = `
    const { dlopen } = require("bun:ffi");
    new Worker(URL.createObjectURL(new Blob(["setInterval(() => {}, 1000); postMessage(1)"]))).onmessage = () =>
      dlopen("libc.so.6", { syscall: { args: ["i64", "i64"], returns: "i64" } }).symbols.syscall(${number}, 0);`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdio: ["ignore", "ignore", "ignore"] });
  const seen = readProcess(child.pid);
  while (stateOf(child.pid) !== "Z") await Bun.sleep(1);
  expect(seen && isRunning(seen)).toBe(true);
  child.kill("SIGKILL");
  await child.exited;
  expect(readProcess(child.pid)).toBeUndefined();
});

test("a zombie of one thread is gone", async () => {
  // A parent that never asks how its child ended.
  const parent = Bun.spawn(["sh", "-c", "sleep 0 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { value } = await parent.stdout.getReader().read();
  const child = Number(new TextDecoder().decode(value));
  while (stateOf(child) !== "Z") await Bun.sleep(1);
  expect(readProcess(child)).toBeUndefined();
  parent.kill();
  await parent.exited;
});
