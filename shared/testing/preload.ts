// Loaded before every test file (bunfig.toml). A file that leaves something running, or that causes a process warning such
// as a listener leak, fails. Unhandled rejections need nothing from us: bun test reports them as errors by itself.
import { afterAll } from "bun:test";
import { type Leak, watchLeaks } from "./leaks.ts";

// What ends by itself within about a second is no leak: a killed child needs a moment to be gone, a closed socket as well.
const graceMs = [0, 10, 30, 60, 100, 200, 600];

const watch = watchLeaks();
const warnings: string[] = [];
process.on("warning", (warning) => warnings.push(`process warning: ${warning.name}: ${warning.message}`));

afterAll(async () => {
  let leaks: Leak[] = [];
  for (const ms of graceMs) {
    await Bun.sleep(ms); // also lets warnings out, which are emitted on the next tick
    leaks = watch();
    if (leaks.length === 0) break;
  }
  for (const { child } of leaks) if (child) process.kill(child, "SIGKILL");
  const found = [...leaks.map((leak) => leak.sentence), ...warnings];
  if (found.length > 0) throw new Error(`this test file left behind or caused:\n  ${found.join("\n  ")}`);
  // A hook that is cut off on a busy machine would say nothing of what it found.
}, 60_000);
