// What a test runner's report says: how many passed and failed, and which failed why, in a line each, so that the end of the
// output is enough to know what to look at.
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

/** How many tests or checks passed and failed; a line for each failed test that has a name. */
export type Counts = { passed: number; failed: number; failures?: string[] };

const none: Counts = { passed: 0, failed: 0 };
/** Characters of a failure's line: an expected and a received value, not a page of them. */
const lineLength = 400;

const error = z.object({ message: z.string().optional() });
const spec = z.object({
  title: z.string(),
  ok: z.boolean(),
  file: z.string(),
  line: z.int(),
  tests: z.array(z.object({ status: z.string(), results: z.array(z.object({ error: error.optional() })) })),
});
type Suite = { specs?: z.infer<typeof spec>[] | undefined; suites?: Suite[] | undefined };
const suite: z.ZodType<Suite> = z.object({
  specs: z.array(spec).optional(),
  get suites() {
    return z.array(suite).optional();
  },
});
const playwrightReport = z.object({
  stats: z.object({ expected: z.int(), flaky: z.int(), unexpected: z.int() }),
  suites: z.array(suite).default([]),
});

/** From the JUnit file that `bun test` writes. Skipped tests count as neither. */
export function countJunit(file: string): Counts {
  if (!existsSync(file)) return none;
  const report = readFileSync(file, "utf8");
  const head = /<testsuites [^>]*>/.exec(report)?.[0] ?? "";
  const failed = Number(attribute(head, "failures"));
  const failures = [...report.matchAll(/(<testcase [^>]*[^/])>\s*<failure ([^>]*)>/g)].map(
    ([, test = "", failure = ""]) => {
      const where = `${attribute(test, "file")}:${attribute(test, "line")}`;
      const name = [attribute(test, "classname"), attribute(test, "name")].filter(Boolean).join(" > ");
      return lineOf(where, name, attribute(failure, "message"));
    },
  );
  return {
    passed: Number(attribute(head, "tests")) - failed - Number(attribute(head, "skipped")),
    failed,
    ...(failures.length > 0 && { failures }),
  };
}

/** From the file that Playwright's json reporter writes. A flaky test, which passed only when repeated, counts as failed. */
export function countPlaywright(file: string): Counts {
  if (!existsSync(file)) return none;
  const { stats, suites } = playwrightReport.parse(JSON.parse(readFileSync(file, "utf8")));
  const failures = specsOf(suites)
    .filter(({ ok, tests }) => !ok || tests.some(({ status }) => status === "flaky"))
    .map(({ file: at, line, title, tests }) => {
      const messages = tests.flatMap(({ results }) => results.map((result) => result.error?.message));
      return lineOf(`${at}:${line}`, title, messages.find(Boolean) ?? "");
    });
  return {
    passed: stats.expected,
    failed: stats.unexpected + stats.flaky,
    ...(failures.length > 0 && { failures }),
  };
}

/** A runner that ended badly without naming a failed test (a crash, an error between tests) is one failure. */
export function withExitCode(counts: Counts, code: number): Counts {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

const specsOf = (suites: Suite[]): z.infer<typeof spec>[] =>
  suites.flatMap(({ specs = [], suites: inner = [] }) => [...specs, ...specsOf(inner)]);

function lineOf(where: string, name: string, message: string): string {
  const said = Bun.stripANSI(message).replaceAll(/\s+/g, " ").trim();
  return `${where} ${name}: ${said || "no message"}`.slice(0, lineLength);
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** An attribute's value in an XML tag; empty where there is none. */
function attribute(tag: string, name: string): string {
  const raw = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return raw.replaceAll(/&(#(\d+)|\w+);/g, (all, word: string, code?: string) =>
    code ? String.fromCodePoint(Number(code)) : (entities[word] ?? all),
  );
}
