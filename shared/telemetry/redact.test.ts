import { describe, expect, test } from "bun:test";
import { wrap } from "./log.ts";
import { redact, secretKeys } from "./redact.ts";

describe("what never reaches a log line", () => {
  test("the list of keys, pinned: taking one away is a decision that this test makes visible", () => {
    expect([...secretKeys].toSorted()).toMatchInlineSnapshot(`
      [
        "accesstoken",
        "agenttoken",
        "apikey",
        "authorization",
        "clientsecret",
        "cookie",
        "currentpassword",
        "databaseurl",
        "forwarded",
        "newpassword",
        "password",
        "passwordhash",
        "privatekey",
        "refreshtoken",
        "resettoken",
        "secret",
        "setcookie",
        "stripesignature",
        "token",
        "xapikey",
        "xforwardedfor",
        "xrealip",
        "xzpacksecret",
      ]
    `);
  });

  test("values of those keys, however they are spelt and wherever they stand", () => {
    const line = redact({
      Authorization: "Bearer a",
      headers: { "X-Zpack-Secret": "a", "set-cookie": ["a"], "x-forwarded-for": "1.2.3.4" },
      list: [{ agent_token: "a", agentToken: "a", password: { nested: "a" } }],
    });
    expect(JSON.stringify(line).replaceAll("[redacted]", "")).not.toMatch(/"a"|1\.2\.3\.4|nested/);
  });

  test.each([
    ["failed with Bearer abc.def-ghi", "abc.def-ghi"],
    ["token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln given", "eyJ"],
    ["key zpk_01abc_s3cr3t given", "s3cr3t"],
    ["connect postgres://svc_a:hunter2@127.0.0.1:5432/zpack", "hunter2"],
  ])("secrets quoted in a sentence: %s", (text, secret) => {
    expect(redact(text)).not.toContain(secret);
    expect(JSON.stringify(redact(new Error(text, { cause: new Error(text) })))).not.toContain(secret);
  });

  test("a cycle, a giant and a depth do no harm", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(JSON.stringify(redact(cycle)).length).toBeLessThan(200);
    expect(String(redact("x".repeat(1e6))).length).toBeLessThan(10_000);
  });

  test("every line goes through it, with the fields of child loggers", () => {
    const lines: object[] = [];
    const log = wrap((level, fields, message) => lines.push({ level, ...fields, message }), {});
    log.child({ requestId: "r", cookie: "c" }).warn({ token: "t" }, "sent Bearer abc");
    expect(lines).toEqual([
      {
        level: "warn",
        requestId: "r",
        cookie: "[redacted]",
        token: "[redacted]",
        message: "sent [redacted]",
      },
    ]);
  });
});
