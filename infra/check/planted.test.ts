import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

// Each mechanism of the house is broken once, in a copy of the tree, and the check that guards it must say so.

const root = join(import.meta.dir, "../..");
const bun = process.execPath;
let copy = "";

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "zpack-planted-"));
  const listed = Bun.spawnSync(["git", "ls-files", "-co", "--exclude-standard"], { cwd: root });
  for (const file of listed.stdout.toString().split("\n").filter(Boolean)) {
    if (!existsSync(join(root, file))) continue; // deleted, not yet committed
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file), { force: true, errorOnExist: false });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const read = (file: string) => Bun.file(join(copy, file)).text();

/** Runs a check in the copy; answers its exit code and what it printed. */
function check(...args: string[]): { code: number; output: string } {
  const run = Bun.spawnSync([bun, "--no-env-file", ...args], { cwd: copy, stdin: "ignore" });
  return { code: run.exitCode, output: run.stdout.toString() + run.stderr.toString() };
}

/** Changes a file, lets `look` run, and puts the file back. */
async function planted(file: string, change: (text: string) => string, look: () => void): Promise<void> {
  const existed = await Bun.file(join(copy, file)).exists();
  const before = existed ? await read(file) : "";
  const after = change(before);
  expect(after, `nothing was planted in ${file}`).not.toBe(before);
  await Bun.write(join(copy, file), after);
  try {
    look();
  } finally {
    if (existed) await Bun.write(join(copy, file), before);
    else rmSync(join(copy, file));
  }
}

const fails = ({ code, output }: { code: number; output: string }, sentence: string) => {
  expect({ failed: code !== 0, says: output.includes(sentence) }, output.slice(-4000)).toEqual({
    failed: true,
    says: true,
  });
};
const architecture = () => check("test", "shared/architecture.test.ts");

test("the copy itself is sound", () => {
  expect(architecture()).toMatchObject({ code: 0 });
  expect(check("check")).toMatchObject({ code: 0 });
  expect(check("infra/generate.ts", "--check")).toMatchObject({ code: 0 });
}, 30_000);

describe("a planted violation is found:", () => {
  test("an import across services", () =>
    planted(
      "services/billing/store.ts",
      (text) => `import "#services/servers/store.ts";\n${text}`,
      () => fails(architecture(), "services/servers/store.ts"),
    ));

  test("a type-only import across services", () =>
    planted(
      "services/billing/store.ts",
      (text) => `import type { Deps } from "#services/servers/service.ts";\n${text}`,
      () => fails(architecture(), "services/servers/service.ts"),
    ));

  test("a driver used outside of its owner", () =>
    planted(
      "services/billing/store.ts",
      (text) => `import postgres from "postgres";\n${text}`,
      () => fails(architecture(), "services/billing/store.ts"),
    ));

  test("a route without policy", () =>
    planted(
      "services/billing/contract.ts",
      (text) => text.replace(/policy: \{ auth: "session"[^}]*\},\n/, ""),
      () => fails(check("check"), "services/billing/contract.ts"),
    ));

  test("a policy that does not hold together", () =>
    planted(
      "services/billing/contract.ts",
      (text) => text.replace('guard: "operator"', 'guard: "none"'),
      () => fails(check("infra/generate.ts", "--check"), "operators' routes carry the operator guard"),
    ));

  test("an undeclared error", () =>
    planted(
      "services/billing/verbs/clear-override.ts",
      (text) => text.replace(/fail\("account_not_found"/, 'fail("nope"'),
      () => fails(check("check"), "services/billing/verbs/clear-override.ts"),
    ));

  test("a declared error that no test knows", () =>
    planted(
      "services/billing/contract.ts",
      (text) =>
        text.replace(
          "errors: accountNotFound",
          'errors: { ...accountNotFound, unheard: { status: 409, title: "x" } }',
        ),
      () => fails(architecture(), "billing.unheard"),
    ));

  test("a route that slips past the generated authorization tests", () =>
    planted(
      "gateway/app.ts",
      (text) => text.replace(".use(mount(", '.get("/api/sneaky", () => "hello")\n    .use(mount('),
      () => fails(check("test", "gateway/gateway.test.ts"), "GET /api/sneaky"),
    ));

  test("a verb whose test is missing", async () => {
    const file = "services/billing/verbs/get-billing.test.ts";
    const before = await read(file);
    rmSync(join(copy, file));
    fails(architecture(), file);
    await Bun.write(join(copy, file), before);
  });

  test("a hand edit of a golden file", () =>
    planted(
      "gateway/golden/routes.txt",
      (text) => text.replace("session", "public "),
      () =>
        fails(
          check("infra/generate.ts", "--check"),
          "gateway/golden/routes.txt is not what the contracts give",
        ),
    ));

  test("a policy that is loosened without its golden file", () =>
    planted(
      "services/billing/contract.ts",
      (text) =>
        text.replace(/auth: "session", guard: "none", scope: "[\w:]+"/, 'auth: "public", guard: "none"'),
      () =>
        fails(
          check("infra/generate.ts", "--check"),
          "gateway/golden/routes.txt is not what the contracts give",
        ),
    ));

  test("an unhandled rejection in a test", () =>
    planted(
      "shared/planted.test.ts",
      () =>
        'import { test } from "bun:test";\ntest("x", async () => { void Promise.reject(new Error("planted")); await Bun.sleep(5); });\n',
      () => fails(check("test", "./shared/planted.test.ts"), "planted"),
    ));

  test("a process warning in a test", () =>
    planted(
      "shared/planted.test.ts",
      () =>
        'import { test } from "bun:test";\ntest("x", async () => { process.emitWarning("planted"); await Bun.sleep(5); });\n',
      () => fails(check("test", "./shared/planted.test.ts"), "planted"),
    ));

  test("a statement outside of the store", () =>
    planted(
      "services/billing/verbs/get-billing.ts",
      (text) =>
        `${text}\nexport const planted = (tx: (s: TemplateStringsArray) => unknown) => tx\`select 1\`;\n`,
      () => fails(architecture(), "services/billing/verbs/get-billing.ts"),
    ));
});
