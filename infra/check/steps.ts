// What `npm test` does, in order. A check counts as one test; the test runners count their own.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureNatsServer } from "#infra/nats/install.ts";
import { countJunit, countPlaywright, type Counts, withExitCode } from "./counts.ts";
import { hygiene } from "./hygiene.ts";

export type StepContext = {
  root: string;
  /** A folder for reports, removed afterwards. */
  temp: string;
  /** Runs a command in `root`; answers its exit code. */
  execute: (command: string[], env?: Record<string, string>) => Promise<number>;
  say: (line: string) => void;
};
export type Step = { name: string; run(c: StepContext): Promise<Counts> };

/** Archives that the project ships on purpose. */
const shipped = new Set(["gateway/docs/scalar.js.gz"]);

const bun = process.execPath;
// Playwright runs these, in Node.
const ignoreJourneys = "--path-ignore-patterns=e2e/**/*.spec.ts";
// A hung test must end some day; how fast a busy machine is says nothing about the code.
const patience = "--timeout=30000";
const unitTests = [
  bun,
  "--no-env-file",
  "test",
  "--isolate",
  "--randomize",
  "--parallel=2",
  patience,
  ignoreJourneys,
];

const command = (name: string, line: string[]): Step => ({
  name,
  run: async (c) => verdict((await c.execute(line)) === 0),
});

const verdict = (good: boolean): Counts => (good ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });

export const steps: Step[] = [
  command("format", [bun, "fmt", "--check"]),
  command("types", [bun, "check"]),
  command("lint", [bun, "node_modules/oxlint/dist/cli.js"]),
  command("generated files", [bun, "infra/generate.ts", "--check"]),
  {
    name: "hygiene",
    async run({ root, say }) {
      const found = await hygiene(root, shipped);
      for (const { file, line, sentence } of found) say(`${file}${line ? `:${line}` : ""}: ${sentence}`);
      return verdict(found.length === 0);
    },
  },
  {
    name: "unit and contract tests",
    async run({ temp, execute, say }) {
      await ensureNatsServer(say);
      const report = join(temp, "unit.xml");
      const code = await execute([...unitTests, "--reporter=junit", `--reporter-outfile=${report}`]);
      return withExitCode(countJunit(report), code);
    },
  },
  {
    name: "end-to-end tests",
    async run({ root, temp, execute }) {
      const config = "e2e/playwright.config.ts";
      if (!existsSync(join(root, config))) return { passed: 0, failed: 0 };
      const report = join(temp, "e2e.json");
      const cli = "node_modules/@playwright/test/cli.js";
      const code = await execute(["node", cli, "test", "-c", config, "--reporter=list,json"], {
        PLAYWRIGHT_JSON_OUTPUT_NAME: report,
        ZPACK_BUN: bun,
      });
      return withExitCode(countPlaywright(report), code);
    },
  },
];
