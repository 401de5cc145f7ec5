import { expect, test } from "bun:test";
import { parseEnv } from "#shared/config/env.ts";
import { config } from "./config.ts";
import { rateLimits } from "./settings.ts";

const API_AUTH_SECRET = "x".repeat(32);

test("a secret is all that must be given", () => {
  const parsed = parseEnv(config, { API_AUTH_SECRET });
  expect(parsed).toMatchObject({
    ZPACK_BIND: "127.0.0.1",
    ZPACK_PORT: 4000,
    ZPACK_ALLOWED_HOSTS: [],
    API_AUTH_TTL_SECONDS: 3600,
    API_AUTH_CACHE_MS: 30_000,
    API_AUTH_SESSION_TTL_SECONDS: 30 * 86_400,
    PASSWORD_RESET_TTL_SECONDS: 30 * 60,
    AUDIT_RETENTION_DAYS: 400,
    ZPACK_TOKEN_GENERATION: 1,
    TRANSFER_FIRST_BYTE_MS: 30_000,
    TRANSFER_STALL_MS: 300_000,
  });
  expect(parsed.ZPACK_INTERNAL_CIDRS.size).toBe(0);
  expect(parsed.OPERATOR_EMAIL).toBeUndefined();
});

test("address lists are parsed once, here", () => {
  const parsed = parseEnv(config, { API_AUTH_SECRET, ZPACK_TRUSTED_PROXIES: "10.0.0.0/8, ::1" });
  expect(parsed.ZPACK_TRUSTED_PROXIES.has("10.1.1.1")).toBe(true);
});

test("a rate is a count and its seconds", () => {
  const parsed = parseEnv(config, { API_AUTH_SECRET, LIMIT_LOGIN_PER_ADDRESS: "5/30" });
  expect(parsed.LIMIT_LOGIN_PER_ADDRESS).toEqual({ count: 5, perMs: 30_000 });
  expect(parsed.LIMIT_LOGIN_PER_ACCOUNT).toEqual({ count: 30, perMs: 60_000 });
});

test("what is meant for an account is more than one address may use", () => {
  const limits = (env: Record<string, string>) => rateLimits(parseEnv(config, { API_AUTH_SECRET, ...env }));
  expect(limits({}).login.perAccount).toEqual({ count: 30, perMs: 60_000 });
  for (const wrong of ["10/60", "9/1", "20/120"])
    expect(() => limits({ LIMIT_LOGIN_PER_ACCOUNT: wrong })).toThrow(
      "LIMIT_LOGIN_PER_ACCOUNT must allow more",
    );
});

test("origins are a list of whole ones", () => {
  const parsed = parseEnv(config, {
    API_AUTH_SECRET,
    ZPACK_CORS_ORIGINS: "https://a.example, http://b.example:1",
  });
  expect([...parsed.ZPACK_CORS_ORIGINS]).toEqual(["https://a.example", "http://b.example:1"]);
});

test.each<[string, string]>([
  ["ZPACK_CORS_ORIGINS", "*"],
  ["ZPACK_CORS_ORIGINS", "https://a.example/"],
  ["LIMIT_LOGIN_PER_ADDRESS", "10"],
  ["LIMIT_LOGIN_PER_ADDRESS", "0/60"],
  ["LIMIT_KEYS", "0"],
  ["API_AUTH_SECRET", "too short"],
  ["API_AUTH_CACHE_MS", "30001"],
  ["API_AUTH_TTL_SECONDS", "0"],
  ["ZPACK_PORT", "65536"],
  ["ZPACK_PUBLIC_URL", "ftp://example.org"],
  ["ZPACK_INTERNAL_CIDRS", "10.0.0.0/33"],
  ["ZPACK_ALLOWED_HOSTS", "a b"],
  ["ZPACK_TOKEN_GENERATION", "x"],
  ["AUDIT_RETENTION_DAYS", "0"],
  ["PASSWORD_RESET_TTL_SECONDS", "0"],
  ["OPERATOR_EMAIL", "nobody"],
  // As for everybody: a username that looks like an address could be somebody's address.
  ["OPERATOR_USERNAME", "ada@example.org"],
])("a wrong %s is named, and a secret is not told", (name, value) => {
  const given = { API_AUTH_SECRET, [name]: value };
  expect(() => parseEnv(config, given)).toThrow(`  ${name}: `);
  if (name === "API_AUTH_SECRET") expect(() => parseEnv(config, given)).not.toThrow("too short");
});
