// npm test: every check there is. The last line of the output is the sum of all of them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkEnvironment, endAll, execute, leftovers } from "./execute.ts";
import { runSteps } from "./run.ts";
import { steps } from "./steps.ts";

const root = join(import.meta.dir, "../..");
const temp = mkdtempSync(join(tmpdir(), "zpack-check-"));
const env = checkEnvironment(process.env);
const say = (line: string) => process.stdout.write(`${line}\n`);

let ending = false;
async function end(code: number): Promise<void> {
  // A terminal and npm both pass Ctrl-C on: it comes twice.
  if (ending) return;
  ending = true;
  await endAll();
  rmSync(temp, { recursive: true, force: true });
  process.exit(code);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(1));
// npm killed outright forwards no signal; its child only sees that it has another parent now.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) void end(1);
}, 250).unref();

const total = await runSteps(steps, {
  root,
  temp,
  say,
  leftovers,
  graceMs: 3_000,
  // Nothing new begins while everything ends.
  execute: (command, more) => (ending ? new Promise(() => {}) : execute(command, root, { ...env, ...more })),
});
say(`${total.passed} passed, ${total.failed} failed`);
await end(total.failed > 0 || total.passed === 0 ? 1 : 0);
