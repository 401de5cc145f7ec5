import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

/** How many tests or checks passed and failed. */
export type Counts = { passed: number; failed: number };

const playwrightReport = z.object({
  stats: z.object({ expected: z.int(), flaky: z.int(), unexpected: z.int() }),
});

/** From the JUnit file that `bun test` writes. Skipped tests count as neither. */
export function countJunit(file: string): Counts {
  const head = existsSync(file) ? (/<testsuites [^>]*>/.exec(readFileSync(file, "utf8"))?.[0] ?? "") : "";
  const attribute = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = attribute("failures");
  return { passed: attribute("tests") - failed - attribute("skipped"), failed };
}

/** From the file that Playwright's json reporter writes. A flaky test, which passed only when repeated, counts as failed. */
export function countPlaywright(file: string): Counts {
  if (!existsSync(file)) return { passed: 0, failed: 0 };
  const { stats } = playwrightReport.parse(JSON.parse(readFileSync(file, "utf8")));
  return { passed: stats.expected, failed: stats.unexpected + stats.flaky };
}

/** A runner that ended badly without naming a failed test (a crash, an error between tests) is one failure. */
export function withExitCode(counts: Counts, code: number): Counts {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}
