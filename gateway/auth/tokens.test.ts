import { describe, expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { forge, secret } from "./testing/auth.ts";
import { createTokens, maxTokenLength } from "./tokens.ts";

const clock = manualClock();
const now = Math.floor(clock.now() / 1000);
const previousSecret = "the secret of the system before this one";
const tokens = createTokens({ secret, previousSecret, ttlSeconds: 3600, generation: 3, clock });
const account = { id: "acc_ada", role: "customer" } as const;

const claims = {
  iss: "zpack",
  aud: "zpack-api",
  sub: "acc_ada",
  sid: "ses_1",
  role: "customer",
  ver: 3,
  exp: now + 60,
  iat: now,
};
const old = { sub: "1", email: "a@b.c", username: "a", scopes: [] };
const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));

describe("a token that was issued", () => {
  test("verifies, until its very last second", async () => {
    const moving = manualClock();
    const fresh = createTokens({ secret, ttlSeconds: 60, generation: 3, clock: moving });
    const { token, expiresIn } = await fresh.issue(account, "ses_1");
    expect(expiresIn).toBe(60);
    await moving.advance(59_999);
    expect(await fresh.verify(token)).toEqual({
      accountId: "acc_ada",
      sessionId: "ses_1",
      expiresAt: (now + 60) * 1000,
    });
    await moving.advance(1);
    expect(fresh.verify(token)).rejects.toMatchObject({ code: "auth.invalid_token" });
  });

  test("carries every claim that the contract names, and its type", async () => {
    const { token } = await tokens.issue(account, "ses_1");
    const [header, payload] = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
    expect(JSON.parse(header ?? "")).toEqual({ alg: "HS256", typ: "at+jwt" });
    expect(Object.keys(JSON.parse(payload ?? "")).toSorted()).toEqual(Object.keys(claims).toSorted());
  });
});

test("the forged tokens below differ from a good one in one point each", async () => {
  expect(await tokens.verify(forge(claims))).toMatchObject({ accountId: "acc_ada" });
  expect(await tokens.verify(forge({ ...claims, ver: 4 }))).toMatchObject({ accountId: "acc_ada" });
});

const signed = forge(claims);
const [head = "", body = "", signature = ""] = signed.split(".");
const bytes = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("401 auth.invalid_token", () => {
  test.each<[string, string]>([
    ["expired", forge({ ...claims, exp: now })],
    ["expired by the clock of a fast client", forge({ ...claims, exp: now - 1 })],
    ["not valid yet", forge({ ...claims, nbf: now + 60 })],
    ["with a changed payload", [head, bytes({ ...claims, role: "operator" }), signature].join(".")],
    ["with a changed header", [bytes({ alg: "HS256", typ: "at+jwt", kid: "x" }), body, signature].join(".")],
    ["with a cut signature", signed.slice(0, -2)],
    ["without a signature", `${head}.${body}.`],
    ["signed with another secret", forge(claims, { key: "b secret of the tests, of no use elsewhere" })],
    ["of a foreign issuer", forge({ ...claims, iss: "https://evil.example" })],
    ["of a foreign issuer, with a claim missing", forge({ ...without("ver"), iss: "https://evil.example" })],
    ["for another audience", forge({ ...claims, aud: "zpack-ide" })],
    ["for another audience as well", forge({ ...claims, aud: ["zpack-api", "zpack-ide"] })],
    ["of another type", forge(claims, { header: { typ: "JWT" } })],
    ["of another type, with a claim missing", forge(without("sid"), { header: { typ: "JWT" } })],
    ["with alg none", forge(claims, { header: { alg: "none" } })],
    ["with alg None", `${bytes({ alg: "None", typ: "at+jwt" })}.${body}.`],
    ["with HS512 for HS256", forge(claims, { header: { alg: "HS512" } })],
    ["with HS384 for HS256", forge(claims, { header: { alg: "HS384" } })],
    ["with a critical extension", forge(claims, { header: { crit: ["x"], x: 1 } })],
    ["with a generation that is no number", forge({ ...claims, ver: "3" })],
    ["with a generation that is no whole number", forge({ ...claims, ver: 3.5 })],
    ["with an expiry that is no number", forge({ ...claims, exp: "tomorrow" })],
    ["with an unknown role", forge({ ...claims, role: "root" })],
    ["with an empty subject", forge({ ...claims, sub: "" })],
    ["with a subject that is no text", forge({ ...claims, sub: { id: "acc_ada" } })],
    ["that is too long", forge({ ...claims, padding: "x".repeat(maxTokenLength) })],
    ["that is a list", forge([claims])],
    ["with a session that is no text", forge({ ...claims, sid: 7 })],
    ["with a session that is a list", forge({ ...claims, sid: ["ses_1"] })],
    ["with a session that holds a NUL", forge({ ...claims, sid: "ses_\u0000" })],
    ["with an empty session", forge({ ...claims, sid: "" })],
    ["with a session that is too long", forge({ ...claims, sid: `ses_${"1".repeat(64)}` })],
    ["with a subject that holds a NUL", forge({ ...claims, sub: "acc_\u0000" })],
    ["whose issuer is no text", forge({ ...claims, iss: { zpack: 1 } })],
    ["issued at no number", forge({ ...claims, iat: "yesterday" })],
    [
      "of the old system under HS512",
      forge(old, { key: previousSecret, header: { alg: "HS512", typ: "JWT" } }),
    ],
    [
      "of the old system under HS384",
      forge(old, { key: previousSecret, header: { alg: "HS384", typ: "JWT" } }),
    ],
    ["of the old system, unsigned", forge(old, { key: previousSecret, header: { alg: "none", typ: "JWT" } })],
    [
      "of the old system under another secret",
      forge(old, { key: `${previousSecret}!`, header: { typ: "JWT" } }),
    ],
    ["of the old system, expired", forge({ sub: "1", exp: now - 1 }, { key: previousSecret })],
    ["that is garbage", "eyJ.eyJ.eyJ"],
    ["that is empty", ""],
  ])("a token %s", async (_, token) => {
    expect(tokens.verify(token)).rejects.toMatchObject({ status: 401, code: "auth.invalid_token" });
  });
});

describe("401 auth.session_outdated", () => {
  test.each(Object.keys(claims))("a token of ours without the claim %s", async (name) => {
    const outdated = { status: 401, code: "auth.session_outdated" };
    expect(tokens.verify(forge(without(name)))).rejects.toMatchObject(outdated);
  });

  test.each<[string, string]>([
    ["without a type", forge(claims, { header: { typ: undefined } })],
    ["of an older generation", forge({ ...claims, ver: 2 })],
    ["of the old system", forge(old, { key: previousSecret, header: { typ: "JWT" } })],
  ])("a token %s", async (_, token) => {
    expect(tokens.verify(token)).rejects.toMatchObject({ status: 401, code: "auth.session_outdated" });
  });
});
