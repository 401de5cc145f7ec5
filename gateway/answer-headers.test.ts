import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type GatewayForTest, gatewayForTest, problem } from "./testing/gateway.ts";

const portal = "https://portal.example.org";
let gateway: GatewayForTest;
beforeAll(async () => {
  gateway = await gatewayForTest({
    origins: [portal, "http://localhost:5173"],
    publicUrl: "https://localhost",
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const corsOf = (answer: Response) =>
  [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
const preflight = (path: string, origin: string, headers: Record<string, string> = {}) =>
  gateway.send("OPTIONS", path, undefined, { origin, "access-control-request-method": "POST", ...headers });

describe("a page of a listed origin", () => {
  test("may send what the API takes, by every method of the address", async () => {
    const answer = await preflight("/api/words/a", portal);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(portal);
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    expect(answer.headers.get("access-control-allow-methods")).toBe("OPTIONS, POST");
    expect(answer.headers.get("access-control-allow-headers")).toBe(
      "Authorization, Content-Type, Idempotency-Key, If-Match",
    );
    expect(answer.headers.get("access-control-max-age")).toBe("600");
    expect(answer.headers.get("vary")).toBe("Origin");
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each<[string, string, number]>([
    ["POST", "/api/words/a", 200],
    ["GET", "/api/secret", 401],
    ["GET", "/api/health", 503],
    ["GET", "/api/servers/1/file", 401],
    ["GET", "/nope", 404],
    ["DELETE", "/api/words/a", 405],
    ["GET", "/docs/json", 200],
  ])("reads the answer to %s %s, which is %d", async (method, path, status) => {
    const answer = await gateway.send(method, path, method === "POST" ? { word: "hi" } : undefined, {
      origin: portal,
    });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("access-control-allow-origin")).toBe(portal);
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    expect(answer.headers.get("access-control-expose-headers")).toBe(
      "X-Request-Id, Idempotency-Replayed, Retry-After, ETag, Deprecation, Link, Content-Disposition",
    );
    expect(answer.headers.get("vary")).toContain("Origin");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("reads a download too, beside what its holder says of the answer's variants", async () => {
    const answer = await gateway.send("GET", "/api/servers/1/file", undefined, {
      origin: portal,
      authorization: "acc_1",
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(portal);
    expect(answer.headers.get("content-security-policy")).toBe("sandbox; default-src 'none'");
  });
});

describe("a page of any other origin", () => {
  test.each([
    "https://evil.example",
    "http://portal.example.org",
    "https://portal.example.org:8443",
    "https://portal.example.org.evil.example",
    "https://evilportal.example.org",
    "https://PORTAL.example.org",
    "https://localhost",
    "null",
    "*",
    "",
  ])("is told nothing: %j", async (origin) => {
    for (const answer of [
      await preflight("/api/words/a", origin),
      await gateway.send("POST", "/api/words/a", { word: "hi" }, { origin }),
      await gateway.send("GET", "/nope", undefined, { origin }),
    ]) {
      expect(corsOf(answer)).toEqual([]);
      expect(answer.headers.get("vary")).toBe("Origin");
    }
  });
});

describe("OPTIONS", () => {
  test("of an address tells its methods to whoever asks", async () => {
    const answer = await gateway.send("OPTIONS", "/api/secret");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    expect(corsOf(answer)).toEqual([]);
  });

  test("of what is no address is 404 in the envelope", async () => {
    const answer = await preflight("/nope", portal);
    expect(answer.status).toBe(404);
    expect(await problem(answer)).toMatchObject({ code: "route.not_found" });
  });
});

describe("HEAD", () => {
  test("is answered like GET, without the body", async () => {
    const [head, get] = [await gateway.send("HEAD", "/api/health"), await gateway.send("GET", "/api/health")];
    expect(head.status).toBe(get.status);
    expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
    expect(await head.text()).toBe("");
    const secret = await gateway.send("HEAD", "/api/secret", undefined, { authorization: "acc_1" });
    expect(secret.status).toBe(200);
    expect(secret.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    expect((await gateway.send("HEAD", "/api/secret")).status).toBe(401);
  });

  test("of a download is 405: its length is only known by sending it", async () => {
    const answer = await gateway.send("HEAD", "/api/servers/1/file", undefined, { authorization: "acc_1" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, OPTIONS");
  });

  test("of an address without GET is 405", async () => {
    expect((await gateway.send("HEAD", "/api/words/a")).status).toBe(405);
  });
});

describe("every answer", () => {
  test("says that clients come by TLS, where they do", async () => {
    for (const path of ["/api/secret", "/nope", "/api/health", "/docs"])
      expect((await gateway.send("GET", path)).headers.get("strict-transport-security")).toBe(
        "max-age=31536000",
      );
    await using plain = await gatewayForTest();
    const answer = await plain.send("GET", "/nope", undefined, { origin: portal });
    expect(answer.headers.has("strict-transport-security")).toBe(false);
    expect(answer.headers.has("vary")).toBe(false);
    expect(corsOf(answer)).toEqual([]);
  });

  test("that is the API page keeps to itself", async () => {
    const page = await gateway.send("GET", "/docs");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    const inline = [...(await page.text()).matchAll(/<script(?![^>]* src=)[^>]*>([^<]*)</g)];
    expect(inline).toHaveLength(1);
    for (const [, text = ""] of inline)
      expect(policy).toContain(`'sha256-${createHash("sha256").update(text).digest("base64")}'`);
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  });
});
