import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Edge } from "./edges/edge.ts";
import { rawRequest } from "./pipeline/testing/pipeline.ts";
import { type GatewayForTest, gatewayForTest, problem } from "./testing/gateway.ts";
import { rawClient } from "./testing/raw.ts";

// Bytes on a socket, since what clients and runtimes make of odd requests is the question.

let gateway: GatewayForTest;
beforeAll(async () => {
  gateway = await gatewayForTest({ trustedProxies: ["192.0.2.0/24"] });
});
afterAll(() => gateway[Symbol.asyncDispose]());
const { outcome, get, post } = rawClient(() => gateway.port);

describe("an operator's route", () => {
  test.each<[string, string]>([
    ["/admin", "401 auth.required"],
    ["//admin", "404 route.not_found"],
    ["/ADMIN", "404 route.not_found"],
    ["/admin/", "404 route.not_found"],
    ["/admin/.", "404 route.not_found"],
    ["/%61dmin", "404 route.not_found"],
    ["/admin%2f", "404 route.not_found"],
    ["/admin%00", "404 route.not_found"],
    ["/admin;x", "404 route.not_found"],
    ["/admin#x", "404 route.not_found"],
    ["/\\admin", "404 route.not_found"],
    ["/api%2f..%2fadmin", "404 route.not_found"],
    // Dot segments are gone before anybody looks: what is left is the plain path, with its own guards.
    ["/./admin", "401 auth.required"],
    ["/docs/../admin", "401 auth.required"],
    ["/docs/%2e%2e/admin", "401 auth.required"],
    ["/admin?x#y", "401 auth.required"],
    ["http://localhost/admin", "401 auth.required"],
    ["http://evil.example/admin", "401 auth.required"],
    ["http://evil.example//admin", "404 route.not_found"],
  ])("is reached by its own path alone: %s is %s", async (target, expected) => {
    expect(await get(target)).toBe(expected);
  });

  test.each<[string, string[]]>([
    ["a host of one letter", ["Host: a"]],
    ["two hosts", ["Host: localhost", "Host: a"]],
    ["the same host twice", ["Host: localhost", "Host: localhost"]],
    ["a foreign host", ["Host: evil.example"]],
    ["a path in its host", ["Host: localhost/docs"]],
  ])("is not reached by %s", async (_, headers) => {
    expect(await get("/admin", ...headers)).toBe("421 request.host");
    expect(await get("http://localhost/admin", ...headers)).toBe("421 request.host");
  });

  test("is not reached by another host of HTTP/1.0, nor by a tunnel", async () => {
    expect(await outcome(rawRequest("/admin", [], "1.0"))).toBe("421 request.host");
    expect(
      await outcome("CONNECT /admin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    ).not.toContain("200");
  });
});

describe("a route of other machines", () => {
  const call = (...headers: string[]) => post("/internal/callback", headers, "");

  test("is open to this machine", async () => {
    expect(await call()).toBe("200 served");
  });

  test.each([
    "X-Forwarded-For: 127.0.0.1",
    "Forwarded: for=127.0.0.1",
    "X-Real-IP: 127.0.0.1",
    "Via: 1.1 proxy",
  ])("is closed to whoever forwards without being trusted: %s", async (header) => {
    expect(await call(header)).toBe("403 guard.ip_denied");
  });

  test("is closed to every address beside its list, be it a contract's or written by hand", async () => {
    const poll: Edge = {
      method: "GET",
      path: "/internal/poll",
      summary: "For other machines",
      because: "It is a test.",
      policy: { auth: "internal", guard: "internal" },
      handle: () => new Response("polled"),
    };
    await using open = await gatewayForTest({ edges: [poll] });
    expect(await (await open.send("GET", "/internal/poll")).text()).toBe("polled");
    expect((await open.send("GET", "/internal/poll", undefined, { via: "1.1 proxy" })).status).toBe(403);
    await using closed = await gatewayForTest({ edges: [poll], internal: ["198.51.100.0/24"] });
    for (const answer of [
      await closed.send("POST", "/internal/callback", {}),
      await closed.send("GET", "/internal/poll"),
    ]) {
      expect(answer.status).toBe(403);
      expect(await problem(answer)).toMatchObject({ code: "guard.ip_denied" });
      const requestId = answer.headers.get("x-request-id");
      const denial = { level: "warn", guard: "internal", address: "127.0.0.1", requestId };
      expect(closed.lines).toContainEqual(expect.objectContaining(denial));
    }
  });
});

describe("X-Forwarded-For", () => {
  const addressOf = async (front: GatewayForTest, forwarded: string) => {
    const headers = { authorization: "op", "x-forwarded-for": forwarded };
    return (await problem(await front.send("GET", "/admin", undefined, headers)))["address"];
  };

  test("of an untrusted peer changes nothing", async () => {
    expect(await addressOf(gateway, "203.0.113.9")).toBe("127.0.0.1");
  });

  test("of a trusted one leads to the right-most address that is no proxy", async () => {
    await using trusting = await gatewayForTest({ trustedProxies: ["127.0.0.1", "192.0.2.0/24"] });
    expect(await addressOf(trusting, "203.0.113.9")).toBe("203.0.113.9");
    expect(await addressOf(trusting, "198.51.100.1, 203.0.113.9, 192.0.2.7")).toBe("203.0.113.9");
    expect(await addressOf(trusting, "203.0.113.9, nonsense")).toBe("unknown");
    const callback = await trusting.send(
      "POST",
      "/internal/callback",
      {},
      { "x-forwarded-for": "203.0.113.9" },
    );
    expect(callback.status).toBe(403);
  });
});
