import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "zpack-leaks-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs one test file with this body in a `bun test` of its own, under the real preload. */
async function run(name: string, body: string) {
  const file = join(folder, `${name}.test.ts`);
  writeFileSync(file, `import { test } from "bun:test";\ntest("planted", async () => {\n${body}\n});\n`);
  const preload = join(import.meta.dir, "preload.ts");
  // A busy machine makes the look for leaks take long, and a hook that is cut off says nothing of them.
  const command = [process.execPath, "test", "--isolate", "--timeout=60000", "--preload", preload, file];
  const bun = Bun.spawn(command, { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const output = await bun.stderr.text();
  return { passed: (await bun.exited) === 0, output };
}

describe("a test file fails when it leaves", () => {
  test.concurrent.each([
    [
      "a server",
      `Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });`,
      "listening socket: port",
    ],
    [
      "a connection",
      `const server = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data() {} } });
       await Bun.connect({ port: server.port, hostname: "127.0.0.1", socket: { data() {} } });
       server.stop();`,
      "open connection: port",
    ],
    ["an interval", `setInterval(() => {}, 60_000);`, "setInterval at an-interval.test.ts:3"],
    ["a timeout", `setTimeout(() => {}, 60_000);`, "setTimeout at a-timeout.test.ts:3"],
    ["a child process", `Bun.spawn(["sleep", "60"]);`, "child process"],
    ["a detached child process", `Bun.spawn(["sleep", "60"], { detached: true }).unref();`, "sleep 60"],
    [
      "a process warning",
      `process.emitWarning("planted warning");`,
      "process warning: Warning: planted warning",
    ],
    [
      "a listener leak",
      `const { EventEmitter } = await import("node:events");
       const emitter = new EventEmitter();
       for (let i = 0; i < 11; i++) emitter.on("x", () => {});`,
      "MaxListenersExceededWarning",
    ],
    ["an unhandled rejection", `setTimeout(() => void Promise.reject(new Error("planted")), 0);`, "planted"],
  ])("%s", async (name, body, sentence) => {
    const { passed, output } = await run(name.replaceAll(" ", "-"), body);
    expect(output).toContain(sentence);
    expect(passed).toBe(false);
  });
});

test("a test file that cleans up after itself passes", async () => {
  const body = `
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("x") });
    await (await fetch(server.url)).text();
    await server.stop(true);
    clearInterval(setInterval(() => {}, 60_000));
    setTimeout(() => {}, 60_000).unref();
    setTimeout(() => {}, 5);
    const child = Bun.spawn(["sleep", "60"]);
    child.kill();`;
  const { passed, output } = await run("clean", body);
  expect({ passed, output: passed ? "" : output }).toEqual({ passed: true, output: "" });
});
