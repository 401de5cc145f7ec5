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
    `import { describe, expect, test } from "bun:test";
     test("a", () => {}); test("b", () => {}); test.if(false)("d", () => {});
     describe("<of> it", () => { test("c & more", () => expect(1).toBe(2)); });
     test("late", () => new Promise(() => {}), 5);`,
  );
  const bun = Bun.spawn(
    [process.execPath, "test", file, "--reporter=junit", `--reporter-outfile=${report}`],
    {
      cwd: folder,
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  expect(await bun.exited).toBe(1);
  const { failures, ...counts } = countJunit(report);
  expect(counts).toEqual({ passed: 2, failed: 2 });
  expect(failures).toEqual([
    "some.test.ts:3 <of> it > c & more: expect(received).toBe(expected) Expected: 2 Received: 1",
    "some.test.ts:4 late: test timed out",
  ]);
});

test("Playwright's report is counted, and a flaky test is a failed one", () => {
  const report = join(folder, "e2e.json");
  writeFileSync(report, JSON.stringify({ stats: { expected: 5, flaky: 1, unexpected: 2, skipped: 3 } }));
  expect(countPlaywright(report)).toEqual({ passed: 5, failed: 3 });
});

test("Playwright's failed and flaky tests are named with the first thing that was wrong", () => {
  const report = join(folder, "named.json");
  const failed = (title: string, ok: boolean, status: string) => ({
    title,
    ok,
    file: "a.spec.ts",
    line: 7,
    tests: [{ status, results: [{ error: { message: "\u001b[31mno\u001b[39m\n  luck" } }, {}] }],
  });
  const inner = { specs: [failed("breaks", false, "unexpected"), failed("wavers", true, "flaky")] };
  const fine = { ...failed("works", true, "expected"), tests: [{ status: "expected", results: [{}] }] };
  const stats = { expected: 1, flaky: 1, unexpected: 1 };
  writeFileSync(report, JSON.stringify({ stats, suites: [{ specs: [fine], suites: [inner] }] }));
  expect(countPlaywright(report)).toEqual({
    passed: 1,
    failed: 2,
    failures: ["a.spec.ts:7 breaks: no luck", "a.spec.ts:7 wavers: no luck"],
  });
});

test("a runner that wrote no report counts nothing, and its bad end is one failure", () => {
  expect(countJunit(join(folder, "none.xml"))).toEqual({ passed: 0, failed: 0 });
  expect(countPlaywright(join(folder, "none.json"))).toEqual({ passed: 0, failed: 0 });
  expect(withExitCode({ passed: 0, failed: 0 }, 134)).toEqual({ passed: 0, failed: 1 });
  expect(withExitCode({ passed: 4, failed: 2 }, 1)).toEqual({ passed: 4, failed: 2 });
  expect(withExitCode({ passed: 4, failed: 0 }, 0)).toEqual({ passed: 4, failed: 0 });
});
