import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hygiene, inspect } from "./hygiene.ts";

const folder = mkdtempSync(join(tmpdir(), "zpack-hygiene-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sentences = (file: string, text: string, allowed: string[] = []) =>
  inspect(file, new TextEncoder().encode(text), new Set(allowed)).map(({ sentence }) => sentence);

// With a cut in each, so that this file itself holds none of them.
const planted: [string, string, string, string][] = [
  ["a private key", "a.txt", "-----BEGIN RSA PRIV~ATE KEY-----", "a private key"],
  ["a live key", "a.ts", 'const key = "sk_li~ve_a1B2a1B2a1B2a1B2a1B2";', "an access token"],
  [
    "a signed token",
    "a.md",
    "eyJ~hbGciOiJIUzI1.eyJ~zdWIiOiIxMjM0.c2lnbmF0dXJlc2lnbmF0dXJl",
    "a signed token (JWT)",
  ],
  [
    "a webhook",
    "a.md",
    `https://discord.com/api/web~hooks/123456789012345678/${"x".repeat(60)}`,
    "a Discord webhook's address",
  ],
  ["a merge marker", "a.ts", "<<<<~<<< HEAD", "a merge marker"],
  ["a path of one machine", "a.ts", 'const file = "/ho~me/somebody/x";', "a path of one machine"],
  ["unfinished work", "a.ts", "// TO~DO later", "unfinished work"],
  [
    "a switched-off test",
    "a.test.ts",
    'test.sk~ip("x", () => {});',
    "a test that does not run, or that keeps others from running",
  ],
  ["a registry", "bun.lock", '["x@1", "https://example.org/x.tgz"]', "a registry's address in a lock file"],
];

test.each(planted)("%s is found", (_, file, text, sentence) => {
  expect(sentences(file, `first line\n${text.replaceAll("~", "")}\n`)).toEqual([sentence]);
});

describe("by their names are found", () => {
  test.each([
    "a.zip",
    "deep/b.tar.gz",
    "dump.sqlite",
    "x.pem",
    "id_ed25519",
    ".env",
    ".env.local",
    "yarn.lock",
  ])("%s", (file) => {
    expect(sentences(file, "")).toHaveLength(1);
  });
});

test("what the project ships on purpose is excused", () => {
  expect(sentences("gateway/page.gz", "", ["gateway/page.gz"])).toEqual([]);
});

test("ordinary text passes", () => {
  const text =
    'import { x } from "./workflows/y.ts"; // a route: /api/servers/:id\n=======x\nhttps://example.org/\n';
  expect(sentences("a.ts", text)).toEqual([]);
});

test("only lines of code count towards the size of a file", () => {
  const code = "x();\n".repeat(250);
  expect(sentences("a.ts", `${code}// a comment\n\n/** one more */\n`)).toEqual([]);
  expect(sentences("a.ts", `${code}x();\n`)).toEqual([
    "251 lines of code; a file holds one idea (at most 250)",
  ]);
  expect(sentences("a.gen.ts", `${code}x();\n`)).toEqual([]);
});

test("files that git tracks or would track are looked at, ignored ones are not", async () => {
  Bun.spawnSync(["git", "init", "-q", folder]);
  await Bun.write(join(folder, ".gitignore"), "ignored/\n");
  await Bun.write(join(folder, "ignored/a.zip"), "");
  await Bun.write(join(folder, "new/b.zip"), "");
  expect(await hygiene(folder, new Set())).toEqual([{ file: "new/b.zip", sentence: "an archive" }]);
});
