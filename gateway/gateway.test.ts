import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { bindings } from "#shared/contract/define.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { gatewayApp } from "./app.ts";
import { gatewayEdges } from "./edges/index.ts";
import { parseCidrs } from "./pipeline/cidr.ts";
import { hostRules } from "./pipeline/host.ts";
import { readJson } from "./pipeline/body.ts";
import { originRules } from "./pipeline/origin.ts";
import { until } from "./pipeline/testing/pipeline.ts";
import { registry } from "./registry.ts";
import { bodyMs, type GatewayForTest, gatewayForTest, problem } from "./testing/gateway.ts";

// The gateway over a real bus and a sample service: everything here holds for every contract.

let gateway: GatewayForTest;
beforeAll(async () => {
  gateway = await gatewayForTest();
});
afterAll(() => gateway[Symbol.asyncDispose]());
const send: GatewayForTest["send"] = (...request) => gateway.send(...request);

describe("a route", () => {
  test("answers its reply, never to be stored, with its headers and the request's id", async () => {
    const response = await send("POST", "/api/words/a", { word: "hi" });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ said: "a:hi" });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("idempotency-replayed")).toBe("true");
    expect(response.headers.get("deprecation")).toBeNull();
  });

  test("answers alike at its older address, and tells where it lives now", async () => {
    const [now, then] = await Promise.all([
      send("POST", "/api/words/a%2Fb", { word: "hi" }),
      send("POST", "/api/old/words/a%2Fb", { word: "hi" }),
    ]);
    expect(await then.text()).toBe(await now.text());
    expect(then.headers.get("deprecation")).toBe(`@${Date.UTC(2026, 0, 1) / 1000}`);
    expect(then.headers.get("link")).toBe('</api/words/a%2Fb>; rel="successor-version"');
  });

  test("lets nothing in query or body overrule what its path names", async () => {
    const response = await send("POST", "/api/words/a?id=q", { word: "hi", id: "b" });
    expect(await response.json()).toEqual({ said: "a:hi" });
  });

  test("ends with the one error document, whatever failed", async () => {
    const response = await send("POST", "/api/words/a", { word: "zzz" });
    expect(response.status).toBe(503);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe("7");
    expect(await problem(response)).toEqual({
      type: "urn:zpack:problem:sample.tired",
      title: "Not now",
      status: 503,
      instance: response.headers.get("x-request-id"),
      code: "sample.tired",
      retryable: true,
      error: "Not now",
    });
  });

  test("a download is piped from where its ticket says", async () => {
    const response = await send("GET", "/api/servers/1/file", undefined, { authorization: "acc_1" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("bytes of a file");
    expect((await send("GET", "/api/servers/1/file", undefined, { authorization: "acc_2" })).status).toBe(
      404,
    );
  });

  test("lets its connection rest for as long as bytes are piped, and whoever is refused no longer than anybody", async () => {
    const server = gateway.app.server ?? expect.unreachable();
    using timeout = spyOn(server, "timeout");
    const seconds = () => timeout.mock.calls.map(([, granted]) => granted);
    const file = (authorization: string) =>
      send("GET", "/api/servers/1/file", undefined, { authorization }).then((answer) => answer.text());
    await file("acc_2");
    expect(seconds()).toEqual([]);
    await file("acc_1");
    await until(() => seconds().length === 2);
    expect(seconds()).toEqual([0, 255]);
  });
});

describe("a body", () => {
  const deep = `{"word":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  test.each<[string, number, string, string, string]>([
    ["that is not JSON", 400, "request.invalid", "{", "application/json"],
    ["that is no object", 400, "request.invalid", "[1]", "application/json"],
    ["that is nested without end", 400, "request.invalid", deep, "application/json"],
    ["that is not UTF-8 text of the contract", 400, "request.invalid", '{"word":1}', "application/json"],
    ["of another type", 415, "request.media_type", "word=hi", "text/plain"],
    ["that is too large", 413, "request.too_large", `{"word":"${"x".repeat(300_000)}"}`, "application/json"],
  ])("%s is refused with %d %s", async (_, status, code, body, type) => {
    const response = await send("POST", "/api/words/a", body, { "content-type": type });
    expect(response.status).toBe(status);
    expect(await problem(response)).toMatchObject({ code });
  });

  test("with __proto__ changes nothing but itself", async () => {
    const response = await send("POST", "/api/words/a", '{"__proto__":{"word":"hi"},"word":"ho"}');
    expect(await response.json()).toEqual({ said: "a:ho" });
    expect(({} as Record<string, unknown>)["word"]).toBeUndefined();
  });

  test("that its client gives up in the middle is nobody's failure", async () => {
    const body = new ReadableStream({ start: (stream) => stream.error(new Error("gone")) });
    const request = new Request("http://localhost/", { method: "POST", body });
    expect(readJson(request, { bodyMs, clock: manualClock() })).rejects.toMatchObject({
      code: "request.cancelled",
    });
  });

  test("400 names each field", async () => {
    expect(await problem(await send("POST", "/api/words/a", { word: "x", times: "many" }))).toMatchObject({
      details: { issues: [{ path: "word" }, { path: "times" }] },
    });
  });
});

describe("whatever is not a route", () => {
  test.each(["/", "/nope", "/API/secret", "/api/secret/", "/api//secret", "/api/%73ecret/x"])(
    "%s is 404 in the envelope",
    async (path) => {
      const response = await send("GET", path);
      expect(response.status).toBe(404);
      expect(await problem(response)).toMatchObject({ code: "route.not_found" });
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    },
  );

  test("another method on a known path is 405 and says which are allowed", async () => {
    const response = await send("DELETE", "/api/words/a");
    expect(response.status).toBe(405);
    expect(await problem(response)).toMatchObject({
      code: "route.method_not_allowed",
      details: { allowed: ["OPTIONS", "POST"] },
    });
    expect(response.headers.get("allow")).toBe("OPTIONS, POST");
  });

  test("a foreign host is refused", async () => {
    const response = await send("GET", "/api/secret", undefined, { host: "evil.example" });
    expect(response.status).toBe(421);
  });
});

test("nothing is mounted but contracts, listed edges and the API page: a route cannot slip past its policy tests", async () => {
  const nowhere = parseCidrs([]);
  const publicUrl = "http://localhost";
  const real = gatewayApp({
    registry,
    edges: gatewayEdges({ bus: undefined as never, services: [], version: "1", clock: systemClock }),
    pipeline: [],
    hosts: hostRules({ allowed: [], publicUrl }),
    addresses: { trustedProxies: nowhere, internal: nowhere, operator: nowhere },
    origins: originRules({ listed: new Set(), publicUrl }),
    publicUrl,
    preflightSeconds: 600,
    version: "1",
    log: silentLogger,
  });
  const declared = [
    ...registry.flatMap((contract) => Object.values(contract.routes).flatMap(bindings)),
    ...gatewayEdges({ bus: undefined as never, services: [], version: "1", clock: systemClock }),
    { method: "GET", path: "/docs" },
    { method: "GET", path: "/docs/json" },
  ].map(({ method, path }) => `${method} ${path}`);
  const mounted = real.routes.map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(mounted)].toSorted()).toEqual([...new Set(declared)].toSorted());
});

test("health tells each service, and is 503 while one is down", async () => {
  const response = await send("GET", "/api/health");
  expect(response.status).toBe(503);
  expect(await problem(response)).toMatchObject({
    status: "degraded",
    service: "gateway",
    version: "1.2.3",
    services: { sample: "up", missing: "down" },
  });
});

describe("the API page", () => {
  test("documents every binding of every contract and every edge", async () => {
    const document = (await (await send("GET", "/docs/json")).json()) as {
      paths: Record<string, Record<string, object>>;
    };
    for (const path of [
      "/api/words/{id}",
      "/api/old/words/{id}",
      "/api/secret",
      "/api/servers/{id}/file",
      "/api/health",
    ])
      expect(Object.keys(document.paths)).toContain(path);
    expect(document.paths["/api/old/words/{id}"]?.["post"]).toMatchObject({ deprecated: true });
    expect(document.paths["/api/servers/{id}/lock"]?.["post"]).toMatchObject({
      responses: { "404": { description: "`sample.gone`: Gone" } },
    });
    expect(document.paths["/api/health"]?.["get"]).toMatchObject({
      responses: { "200": { content: {} }, "503": { content: {} } },
    });
  });

  test("loads nothing from elsewhere", async () => {
    const answer = await send("GET", "/docs");
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    const page = await answer.text();
    const foreign = [...page.matchAll(/(?:src|href)="(https?:[^"]+)"/g)].map((match) => match[1]);
    expect(foreign).toEqual([]);
    const script = await send("GET", "/docs/scalar.js");
    expect(script.headers.get("content-encoding")).toBe("gzip");
    expect(script.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
  });
});
