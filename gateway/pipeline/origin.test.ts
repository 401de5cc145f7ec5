import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayForTest, gatewayForTest, problem } from "../testing/gateway.ts";
import { originAllowed, originRules, parseOrigins } from "./origin.ts";

describe("the list", () => {
  test("holds whole origins", () => {
    expect([...parseOrigins(["https://portal.example.org", "http://localhost:5173"])]).toHaveLength(2);
  });

  test.each([
    "*",
    "null",
    "portal.example.org",
    "https://*.example.org/",
    "https://a.example/x",
    "https://a.example/",
    "https://A.example",
    "https://a.example:443",
    "ftp://a.example",
    "https://u:p@a.example",
    "",
  ])("%j is none", (entry) => {
    expect(() => parseOrigins([entry])).toThrow("is no origin");
  });
});

test("the gateway's own origin is that of its public URL, under every name of this machine where it is one", () => {
  const rules = (publicUrl: string) => originRules({ listed: new Set(), publicUrl });
  for (const origin of ["http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000"])
    expect(originAllowed(origin, rules("http://localhost:4000"))).toBe(true);
  expect(originAllowed("http://localhost", rules("http://localhost:4000"))).toBe(false);
  expect(originAllowed("https://api.example.org", rules("https://api.example.org/x"))).toBe(true);
  expect(originAllowed("http://localhost", rules("https://api.example.org"))).toBe(false);
});

describe("a route with a cookie", () => {
  let gateway: GatewayForTest;
  beforeAll(async () => {
    gateway = await gatewayForTest({
      origins: ["https://portal.example.org"],
      publicUrl: "http://localhost:4000",
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
  const signIn = (headers: Record<string, string>, password = "") =>
    gateway.send("POST", "/api/sign-in", { identifier: "ada", password }, headers);

  test.each<Record<string, string>>([
    {},
    { origin: "http://localhost:4000" },
    { origin: "http://127.0.0.1:4000" },
    { origin: "https://portal.example.org" },
  ])("is open to %j", async (headers) => {
    const answer = await signIn({ ...headers, cookie: "zpack_refresh=abc" });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ cookie: "abc" });
    expect(answer.headers.getSetCookie()).toEqual(["zpack_refresh=next"]);
  });

  test.each(["https://evil.example", "null", "http://localhost", ""])(
    "403 guard.origin_denied: %j",
    async (origin) => {
      const answer = await signIn({ origin });
      expect(answer.status).toBe(403);
      expect(await problem(answer)).toMatchObject({ code: "guard.origin_denied" });
      expect(gateway.lines).toContainEqual(expect.objectContaining({ level: "warn", origin }));
    },
  );

  test("400: the cookie is there twice", async () => {
    const answer = await signIn({ cookie: "zpack_refresh=a; zpack_refresh=b" });
    expect(answer.status).toBe(400);
    expect(await problem(answer)).toMatchObject({ code: "request.invalid" });
  });

  test("takes the cookie away with an answer that ends the session, and with no other", async () => {
    const cleared = (await signIn({}, "reused")).headers.getSetCookie();
    expect(cleared).toEqual([expect.stringContaining("zpack_refresh=; Max-Age=0;")]);
    expect((await signIn({}, "wrong")).headers.getSetCookie()).toEqual([]);
  });

  test("is not what other routes are: they are open to every page, and get no cookie", async () => {
    const headers = { origin: "https://evil.example", cookie: "zpack_refresh=a; zpack_refresh=b" };
    const answer = await gateway.send("POST", "/api/words/a", { word: "hi" }, headers);
    expect(answer.status).toBe(200);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });
});
