import { afterAll, beforeAll, expect, test } from "bun:test";
import { coreFault } from "#shared/fault/core.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { answerFailure } from "./failure.ts";
import { type GatewayForTest, gatewayForTest } from "./testing/gateway.ts";

const broken = {
  method: "GET",
  path: "/api/broken",
  summary: "Fails",
  because: "It is a test.",
  policy: { auth: "public", guard: "none" },
  handle: () => Promise.reject(new Error("nobody foresaw it")),
} as const;

let gateway: GatewayForTest;
beforeAll(async () => {
  gateway = await gatewayForTest({ edges: [broken] });
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** What was logged under the id that the client got. */
const linesOf = (answer: Response) => {
  const requestId = answer.headers.get("x-request-id");
  return gateway.lines.filter((line) => line["requestId"] === requestId);
};

test("a request that is refused leaves one line, as information", async () => {
  const answer = await gateway.send("GET", "/api/secret");
  expect(linesOf(answer)).toMatchObject([
    { level: "info", route: "sample.secret", status: 401, code: "auth.required" },
  ]);
});

test("so does one that no route gets to see, without its query", async () => {
  const answer = await gateway.send("GET", "/api/nope?token=secret");
  expect(linesOf(answer)).toEqual([
    {
      level: "info",
      requestId: answer.headers.get("x-request-id"),
      method: "GET",
      path: "/api/nope",
      status: 404,
      code: "route.not_found",
    },
  ]);
});

test("a request that fails here leaves one line, as a warning", async () => {
  const answer = await gateway.send("POST", "/api/words/a", { word: "zzz" });
  expect(linesOf(answer)).toMatchObject([
    { level: "warn", route: "sample.echo", status: 503, code: "sample.tired" },
  ]);
});

test("what nobody foresaw is an error with its cause, which the client does not see", async () => {
  const answer = await gateway.send("GET", "/api/broken");
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("foresaw");
  expect(linesOf(answer)).toMatchObject([{ level: "error", err: { message: "nobody foresaw it" } }]);
});

test("who wanted to leave and has no session any more keeps no cookie; whoever may not leave keeps it", () => {
  const request = {
    requestId: "r",
    headers: {},
    clearedCookie: "zpack_refresh=; Max-Age=0",
    log: silentLogger,
  };
  const told = (code: "auth.required" | "auth.invalid_token" | "guard.origin_denied", leaving: boolean) =>
    answerFailure(coreFault(code), { ...request, leaving }).headers.get("set-cookie");
  expect(told("auth.required", true)).toBe(request.clearedCookie);
  expect(told("auth.invalid_token", true)).toBe(request.clearedCookie);
  expect(told("auth.invalid_token", false)).toBeNull();
  expect(told("guard.origin_denied", true)).toBeNull();
});

test("a request that succeeds leaves none", async () => {
  expect(linesOf(await gateway.send("POST", "/api/words/a", { word: "hi" }))).toEqual([]);
});
