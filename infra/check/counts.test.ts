import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countJunit, countPlaywright, withExitCode } from "./counts.ts";

const folder = mkdtempSync(join(tmpdir(), "zpack-counts-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("bun test's own report is counted: passed, failed, and skipped as neither", async () => {
  const file = join(folder, "some.test.ts");
  const report = join(folder, "report.xml");
  writeFileSync(
    file,
    `import { expect, test } from "bun:test";
     test("a", () => {}); test("b", () => {}); test("c", () => expect(1).toBe(2)); test.if(false)("d", () => {});`,
  );
  const bun = Bun.spawn(
    [process.execPath, "test", file, "--reporter=junit", `--reporter-outfile=${report}`],
    {
      cwd: folder,
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  expect(await bun.exited).toBe(1);
  expect(countJunit(report)).toEqual({ passed: 2, failed: 1 });
});

test("Playwright's report is counted, and a flaky test is a failed one", () => {
  const report = join(folder, "e2e.json");
  writeFileSync(report, JSON.stringify({ stats: { expected: 5, flaky: 1, unexpected: 2, skipped: 3 } }));
  expect(countPlaywright(report)).toEqual({ passed: 5, failed: 3 });
});

test("a runner that wrote no report counts nothing, and its bad end is one failure", () => {
  expect(countJunit(join(folder, "none.xml"))).toEqual({ passed: 0, failed: 0 });
  expect(countPlaywright(join(folder, "none.json"))).toEqual({ passed: 0, failed: 0 });
  expect(withExitCode({ passed: 0, failed: 0 }, 134)).toEqual({ passed: 0, failed: 1 });
  expect(withExitCode({ passed: 4, failed: 2 }, 1)).toEqual({ passed: 4, failed: 2 });
  expect(withExitCode({ passed: 4, failed: 0 }, 0)).toEqual({ passed: 4, failed: 0 });
});
