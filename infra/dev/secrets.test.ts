import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSecrets, writeCredentials } from "./secrets.ts";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "zpack-secrets-"));
});
afterEach(() => rmSync(home, { recursive: true }));

test("secrets are made once and are the same from then on", () => {
  const first = loadSecrets(home, ["servers"]);
  expect(first.created).toBe(true);
  expect(statSync(join(home, "secrets.json")).mode & 0o777).toBe(0o600);
  const second = loadSecrets(home, ["servers"]);
  expect(second).toEqual({ created: false, secrets: first.secrets });
});

test("all secrets are different and long", () => {
  const { secrets } = loadSecrets(home, ["servers", "billing"]);
  const { database, nats, installation, ...others } = secrets;
  expect(installation).not.toBe("");
  const all = [...Object.values(others), ...Object.values(database), ...Object.values(nats)];
  expect(new Set(all).size).toBe(all.length);
  for (const secret of all) expect(secret.length).toBeGreaterThanOrEqual(20);
});

test("a service that is new gets passwords of its own, the others keep theirs", () => {
  const before = loadSecrets(home, ["servers"]).secrets;
  const after = loadSecrets(home, ["servers", "backups"]).secrets;
  expect(after.database["servers"]).toBe(before.database["servers"] ?? "");
  expect(after.database["backups"]?.length).toBeGreaterThan(20);
});

test("lost secrets are not replaced while the database made with them is there", () => {
  mkdirSync(join(home, "postgres"));
  expect(() => loadSecrets(home, [])).toThrow(/secrets\.json is missing/);
});

test("a damaged file is named without its content", () => {
  writeFileSync(join(home, "secrets.json"), '{ "apiAuth": "hidden-value');
  expect(() => loadSecrets(home, [])).toThrow(/secrets\.json is not what zpack wrote there/);
  expect(() => loadSecrets(home, [])).not.toThrow(/hidden-value/);
});

test("the login follows a changed address", () => {
  const { secrets } = loadSecrets(home, []);
  const file = join(home, "credentials.json");
  writeCredentials(file, "http://127.0.0.1:4000", secrets);
  writeCredentials(file, "https://panel.example.org", secrets);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    url: "https://panel.example.org",
    email: "operator@zpack.local",
    password: secrets.operatorPassword,
  });
});
