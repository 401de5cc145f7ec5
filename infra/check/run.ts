import type { ProcessInfo } from "#shared/process/proc.ts";
import type { Counts } from "./counts.ts";
import type { Step, StepContext } from "./steps.ts";

type RunContext = StepContext & {
  leftovers: () => ProcessInfo[];
  /** How long a process may take to end by itself after the last step. */
  graceMs: number;
};

/** Runs all steps, also after a failed one, then looks for processes that they left behind; prints what took how long, and what failed. */
export async function runSteps(steps: Step[], c: RunContext): Promise<Counts> {
  const rows: { name: string; counts: Counts; ms: number }[] = [];
  for (const step of [...steps, noLeftovers(c)]) {
    c.say(`\n── ${step.name}`);
    const started = performance.now();
    const counts = await step.run(c).catch((error: unknown) => {
      c.say(String(error));
      return { passed: 0, failed: 1 };
    });
    rows.push({ name: step.name, counts, ms: performance.now() - started });
  }
  const width = Math.max(...rows.map(({ name }) => name.length));
  c.say("");
  for (const { name, counts, ms } of rows) {
    const result = `${counts.passed} passed, ${counts.failed} failed`;
    c.say(`${name.padEnd(width)}  ${(ms / 1000).toFixed(1).padStart(6)} s  ${result}`);
  }
  for (const { counts } of rows) for (const line of counts.failures ?? []) c.say(`failed: ${line}`);
  return {
    passed: rows.reduce((sum, { counts }) => sum + counts.passed, 0),
    failed: rows.reduce((sum, { counts }) => sum + counts.failed, 0),
  };
}

const noLeftovers = (c: RunContext): Step => ({
  name: "no process left behind",
  async run() {
    const deadline = performance.now() + c.graceMs;
    while (c.leftovers().length > 0 && performance.now() < deadline) await Bun.sleep(50);
    const found = c.leftovers();
    for (const { pid, command } of found) c.say(`${pid} ${command.join(" ")}`);
    return found.length === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  },
});
