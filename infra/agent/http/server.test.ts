import { afterAll, beforeAll, expect, test } from "bun:test";
import { AgentFailure } from "#shared/agent/contract.ts";
import { agentForTest, gameConfig, testToken } from "../testing/agent.ts";

let agent: ReturnType<typeof agentForTest>;
beforeAll(() => {
  agent = agentForTest();
});
afterAll(() => agent[Symbol.asyncDispose]());

const auth = { authorization: `Bearer ${testToken}` };

async function ask(method: string, path: string, init: RequestInit = {}) {
  const response = await fetch(agent.address + path, { method, headers: auth, ...init });
  const body: unknown = await response.json();
  return { status: response.status, body, headers: response.headers };
}

async function failure(method: string, path: string, init: RequestInit = {}) {
  const { status, body } = await ask(method, path, init);
  return [status, AgentFailure.parse(body).code];
}

const routes = [
  ["GET", "/ready"],
  ["GET", "/status"],
  ["GET", "/version"],
  ["GET", "/game/players"],
  ["GET", "/console/stream"],
  ["POST", "/config"],
  ["POST", "/start"],
  ["POST", "/stop"],
  ["POST", "/restart"],
  ["POST", "/console/command"],
  ["GET", "/no/such/route"],
] as const;

test.each(routes)("%s %s without the token is 401", async (method, path) => {
  for (const value of [
    undefined,
    "",
    "Bearer ",
    "Bearer wrong",
    testToken,
    `Bearer ${testToken} `,
    `bearer${testToken}x`,
  ]) {
    // A header's value loses its outer blanks on the way: that one is the right token.
    if (value?.trim() === auth.authorization) continue;
    const headers = value === undefined ? {} : { authorization: value };
    expect(await failure(method, path, { headers })).toEqual([401, "auth.required"]);
  }
});

test("the health of the process needs no token", async () => {
  expect(await ask("GET", "/health", { headers: {} })).toMatchObject({ status: 200, body: { ok: true } });
});

test("the version names the agent and its contract", async () => {
  expect((await ask("GET", "/version")).body).toMatchObject({ agent: "zpack-reference", contract: 1 });
});

test.each([
  ["GET", "/", 404, "route.not_found"],
  ["GET", "/status/", 404, "route.not_found"],
  ["GET", "/__proto__", 404, "route.not_found"],
  ["GET", "/constructor", 404, "route.not_found"],
  ["POST", "/status", 405, "route.method_not_allowed"],
  ["DELETE", "/config", 405, "route.method_not_allowed"],
  ["GET", "/start", 405, "route.method_not_allowed"],
  ["GET", "/console/stream", 426, "console.upgrade_required"],
] as const)("%s %s is %i %s", async (method, path, status, code) => {
  expect(await failure(method, path)).toEqual([status, code]);
});

test.each([
  ["no JSON", "{", 400, "request.invalid"],
  ["nothing", "", 400, "request.invalid"],
  ["an array", "[]", 400, "request.invalid"],
  ["a foreign prototype", '{"__proto__":{"vmid":1}}', 400, "request.invalid"],
  ["ten thousand brackets", "[".repeat(10_000), 400, "request.invalid"],
  ["an unknown kind", '{"vmid":1,"container_type":"toaster","memory_mb":512}', 400, "request.invalid"],
  ["70,000 bytes", JSON.stringify({ x: "y".repeat(70_000) }), 413, "request.too_large"],
  [
    "a game that it cannot run",
    JSON.stringify(gameConfig(1, { version: "1.12.2" })),
    422,
    "config.unsupported",
  ],
] as const)("a configuration of %s is %s %i", async (_name, body, status, code) => {
  expect(await failure("POST", "/config", { body })).toEqual([status, code]);
});

test("a body without a length is bounded while it is read", async () => {
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(8192).fill(32)),
  });
  const response = await fetch(`${agent.address}/config`, { method: "POST", headers: auth, body: endless });
  expect(response.status).toBe(413);
});

test("a wrong member is named", async () => {
  const body = JSON.stringify(gameConfig(1, { world: "../escape" }));
  const { body: answer } = await ask("POST", "/config", { body });
  expect(AgentFailure.parse(answer).issues).toEqual([{ path: "world", message: expect.any(String) }]);
});

test("before the first configuration there is nothing to act on: 503, and nobody to be ready", async () => {
  for (const path of ["/start", "/stop", "/restart"]) {
    expect(await failure("POST", path)).toEqual([503, "config.missing"]);
  }
  const body = JSON.stringify({ command: "list" });
  expect(await failure("POST", "/console/command", { body })).toEqual([503, "workload.not_running"]);
  expect((await ask("GET", "/ready")).body).toEqual({ ready: false, reason: "not_configured" });
  expect((await ask("GET", "/game/players")).body).toEqual({ online: 0, max: 0, players: [] });
  expect((await ask("GET", "/status")).body).toMatchObject({ state: "idle", configured: false });
});

test("a command is one line", async () => {
  for (const command of ["", "a\nstop", "a\u001b[A", "x".repeat(1025)]) {
    const body = JSON.stringify({ command });
    expect(await failure("POST", "/console/command", { body })).toEqual([400, "request.invalid"]);
  }
});
