import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ada, authForTest, forge, secret } from "#gateway/auth/testing/auth.ts";
import { keyFor } from "#gateway/auth/testing/keys.ts";
import { maxTokenLength } from "#gateway/auth/tokens.ts";
import { Fault } from "#shared/fault/fault.ts";
import { authenticate, authenticated } from "./authenticate.ts";
import { exchangeForTest, rawRequest, sendRaw } from "./testing/pipeline.ts";

// Over a real socket, since what the runtime makes of odd headers is part of the question.
let auth: Awaited<ReturnType<typeof authForTest>>;
let token: string;
let actor: unknown;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    try {
      return Response.json(
        await authenticate(auth.sessions, request.headers.get("authorization"), "192.0.2.7"),
      );
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return new Response(error.code, { status: error.status });
    }
  },
});

beforeAll(async () => {
  auth = await authForTest();
  ({ token, actor } = await auth.signUp());
});
afterAll(async () => {
  await server.stop(true);
  await auth[Symbol.asyncDispose]();
});

const send = async (...authorization: string[]) => {
  const headers = ["Host: localhost", ...authorization.map((value) => `Authorization: ${value}`)];
  const [head = "", body = ""] = (await sendRaw(server.port ?? 0, rawRequest("/", headers))).split(
    "\r\n\r\n",
  );
  return { status: Number(head.slice(9, 12)), body };
};

test("a token tells who its holder is, under any spelling of the scheme", async () => {
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    const { status, body } = await send(`${scheme} ${token}`);
    expect([status, JSON.parse(body)]).toEqual([200, actor]);
  }
});

test("an API key tells who its holder is, and is refused from elsewhere than it is bound to", async () => {
  const { actor: holder } = await auth.signUp({ ...ada, email: "eve@example.org", username: "eve" });
  const open = await keyFor(auth, holder);
  const { status, body } = await send(`Bearer ${open.key}`);
  expect([status, JSON.parse(body)]).toEqual([200, { ...holder, via: open.keyId, scopes: ["servers:read"] }]);
  const bound = await keyFor(auth, holder, { name: "bound", cidrs: ["198.51.100.0/24"] });
  expect(await send(`Bearer ${bound.key}`)).toEqual({ status: 403, body: "guard.ip_denied" });
});

test("without the header nobody is signed in", async () => {
  expect(await send()).toEqual({ status: 200, body: '{"kind":"anonymous"}' });
});

describe("401 auth.invalid_token", () => {
  test.each<[string, () => string[]]>([
    ["two headers", () => [`Bearer ${token}`, `Bearer ${token}`]],
    ["two headers of which one is good", () => ["Bearer x", `Bearer ${token}`]],
    ["two tokens", () => [`Bearer ${token} ${token}`]],
    ["two tokens in a list", () => [`Bearer ${token},${token}`]],
    ["another scheme", () => [`Basic ${token}`]],
    ["no scheme", () => [token]],
    ["a scheme that begins alike", () => [`Bearerx ${token}`]],
    ["no token", () => ["Bearer"]],
    ["an empty header", () => [""]],
    ["a key that nobody has", () => [`Bearer zpk_${"0".repeat(26)}_${"A".repeat(43)}`]],
    ["a key and a token", () => [`Bearer zpk_0_A ${token}`]],
    ["garbage", () => ["Bearer ../../etc/passwd"]],
    ["a token that is too long", () => [`Bearer ${forge({ padding: "x".repeat(maxTokenLength) })}`]],
    ["a token that nobody signed", () => [`Bearer ${forge({ sub: "acc_x" }, { key: `not ${secret}` })}`]],
  ])("%s", async (_, headers) => {
    expect(await send(...headers())).toEqual({ status: 401, body: "auth.invalid_token" });
  });
});

test("401 auth.session_outdated passes through", async () => {
  expect(await send(`Bearer ${forge({ sub: "acc_x" })}`)).toEqual({
    status: 401,
    body: "auth.session_outdated",
  });
});

describe("a route", () => {
  test("that needs an account learns who sends the request", async () => {
    const x = exchangeForTest("me", { headers: { authorization: `Bearer ${token}` } });
    await authenticated(auth.sessions)(x);
    expect(x.actor as unknown).toEqual(actor);
  });

  test("that is open to all is not closed by an old token", async () => {
    const x = exchangeForTest("login", { headers: { authorization: "Bearer old" } });
    await authenticated(auth.sessions)(x);
    expect(x.actor).toEqual({ kind: "anonymous" });
  });
});
