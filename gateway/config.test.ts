import { expect, test } from "bun:test";
import { parseEnv } from "#shared/config/env.ts";
import { config } from "./config.ts";

const API_AUTH_SECRET = "x".repeat(32);

test("a secret is all that must be given", () => {
  const parsed = parseEnv(config, { API_AUTH_SECRET });
  expect(parsed).toMatchObject({
    ZPACK_BIND: "127.0.0.1",
    ZPACK_PORT: 4000,
    ZPACK_ALLOWED_HOSTS: [],
    API_AUTH_TTL_SECONDS: 3600,
    API_AUTH_CACHE_MS: 30_000,
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

test.each<[string, string]>([
  ["API_AUTH_SECRET", "too short"],
  ["API_AUTH_CACHE_MS", "30001"],
  ["API_AUTH_TTL_SECONDS", "0"],
  ["ZPACK_PORT", "65536"],
  ["ZPACK_PUBLIC_URL", "ftp://example.org"],
  ["ZPACK_INTERNAL_CIDRS", "10.0.0.0/33"],
  ["ZPACK_ALLOWED_HOSTS", "a b"],
  ["ZPACK_TOKEN_GENERATION", "x"],
  ["OPERATOR_EMAIL", "nobody"],
])("a wrong %s is named, and a secret is not told", (name, value) => {
  const given = { API_AUTH_SECRET, [name]: value };
  expect(() => parseEnv(config, given)).toThrow(`  ${name}: `);
  if (name === "API_AUTH_SECRET") expect(() => parseEnv(config, given)).not.toThrow("too short");
});
