import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { localHost } from "./client.ts";
import { HostError, hostError } from "./problem.ts";
import { hostCodes, HostProblem } from "./schema.ts";
import { hostToken, refusal, type TestHost, testHomes } from "./testing/harness.ts";

const homes = testHomes();
afterAll(() => homes.remove());
let home: string;
let host: TestHost;
beforeAll(async () => {
  home = homes.newHome();
  host = await homes.host(home);
});
afterAll(() => host.stop());

async function call(method: string, path: string, body?: string, authorization = `Bearer ${hostToken}`) {
  const response = await fetch(host.url + path, {
    method,
    headers: { authorization },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, problem: HostProblem.safeParse(await response.json()).data };
}

describe("401 auth.required", () => {
  for (const [what, authorization] of [
    ["no token", ""],
    ["another token", "Bearer something-else-altogether"],
    ["the token without its scheme", hostToken],
    ["the token and more", `Bearer ${hostToken}x`],
  ] as const)
    test(`with ${what}, on every route, also on those that do not exist`, async () => {
      for (const [method, path] of [
        ["GET", "/containers"],
        ["POST", "/containers"],
        ["GET", "/containers/5001"],
        ["DELETE", "/containers/5001"],
        ["POST", "/containers/5001/start"],
        ["GET", "/nothing"],
      ] as const)
        expect(await call(method, path, undefined, authorization)).toMatchObject({
          status: 401,
          problem: { code: "auth.required" },
        });
    });

  test("is not asked for by GET /health", async () => {
    expect((await fetch(`${host.url}/health`)).status).toBe(200);
  });
});

describe("400 request.invalid", () => {
  const good = { vmid: 5001, hostname: "a", description: "", memoryMiB: 64 };
  const bad: [string, string, string][] = [
    ["a body that is no JSON", "{", ""],
    ["no body", "", ""],
    ["a body that is null", "null", ""],
    ["a vmid below 100", JSON.stringify({ ...good, vmid: 99 }), "vmid"],
    ["a vmid that is text", JSON.stringify({ ...good, vmid: "5001" }), "vmid"],
    ["a hostname with a slash", JSON.stringify({ ...good, hostname: "../a" }), "hostname"],
    ["no description", JSON.stringify({ ...good, description: undefined }), "description"],
    ["a fraction of memory", JSON.stringify({ ...good, memoryMiB: 1.5 }), "memoryMiB"],
  ];
  for (const [what, body, path] of bad)
    test(`create with ${what}`, async () => {
      const { status, problem } = await call("POST", "/containers", body);
      expect(status).toBe(400);
      expect(problem?.code).toBe("request.invalid");
      if (path) expect(problem?.issues?.map((issue) => issue.path)).toEqual([path]);
      expect(await host.client.list()).toEqual([]);
    });

  for (const vmid of ["abc", "5001x", "-1", "1e3", "0x1389", "99", "9999999999"])
    test(`a vmid "${vmid}" in the path`, async () => {
      expect((await call("GET", `/containers/${vmid}`)).status).toBe(400);
    });

  test("an agent token that no header can carry", async () => {
    const body = JSON.stringify({ agentToken: "with a blank and\nmore than that" });
    const { status, problem } = await call("PUT", "/containers/5001", body);
    expect({ status, paths: problem?.issues?.map((issue) => issue.path) }).toEqual({
      status: 400,
      paths: ["agentToken"],
    });
    expect(JSON.stringify(problem)).not.toContain("blank and");
  });
});

test("413 request.too_large for a body over 64 KiB, and without words far above it", async () => {
  const long = JSON.stringify({ description: "x".repeat(70_000) });
  expect(await call("POST", "/containers", long)).toMatchObject({
    status: 413,
    problem: { code: "request.too_large" },
  });
  const headers = { authorization: `Bearer ${hostToken}` };
  const body = "x".repeat(2_000_000);
  expect((await fetch(`${host.url}/containers`, { method: "POST", headers, body })).status).toBe(413);
  expect(await host.client.list()).toEqual([]);
});

test("404 route.not_found for a route that does not exist, 404 container.not_found for a container", async () => {
  expect(await call("GET", "/nothing")).toMatchObject({ status: 404, problem: { code: "route.not_found" } });
  expect(await call("PATCH", "/containers/5001")).toMatchObject({ problem: { code: "route.not_found" } });
  expect(await call("GET", "/containers/5001")).toMatchObject({
    status: 404,
    problem: { code: "container.not_found" },
  });
});

test("a failure inside is 500 internal.error, says nothing of the inside, and leaves no half-made container", async () => {
  renameSync(join(home, "containers"), join(home, "moved"));
  const create = JSON.stringify({ vmid: 5003, hostname: "a", description: "", memoryMiB: 64 });
  const { status, problem } = await call("POST", "/containers", create);
  renameSync(join(home, "moved"), join(home, "containers"));
  expect({ status, code: problem?.code }).toEqual({ status: 500, code: "internal.error" });
  expect(problem?.error).not.toContain(home);
  expect(await host.client.list()).toEqual([]);
  expect(readdirSync(join(home, "data/containers"))).toEqual([]);
  await host.client.make(5003);
  await host.client.remove(5003);
});

test("a full disk is 507 host.disk_full", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    const full = hostError(Object.assign(new Error("write"), { code }));
    expect({ status: full.status, code: full.code }).toEqual({ status: 507, code: "host.disk_full" });
  }
});

test("every code has a status that is no success", () => {
  for (const code of hostCodes) expect(new HostError(code, "").status).toBeGreaterThanOrEqual(400);
});

describe("the client", () => {
  test("tells a host that is not there from one that does not answer", async () => {
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Promise<Response>(() => {}),
    });
    const url = `http://127.0.0.1:${silent.port}`;
    expect(await refusal(localHost({ url, token: hostToken, timeoutMs: 50 }).list())).toMatchObject({
      kind: "silent",
      code: "host.silent",
    });
    await silent.stop(true);
    expect(await refusal(localHost({ url, token: hostToken }).list())).toMatchObject({
      kind: "refused",
      code: "host.unreachable",
    });
  });

  test("never takes another server's 404, or an empty 200, for the host's answer", async () => {
    for (const status of [200, 404, 500]) {
      const other = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: () => new Response("{}", { status }),
      });
      const client = localHost({ url: `http://127.0.0.1:${other.port}`, token: hostToken });
      expect(await refusal(client.find(5001))).toMatchObject({ kind: "silent", code: "host.unintelligible" });
      await other.stop(true);
    }
  });

  test("find with a wrong token is an error, not undefined", async () => {
    const stranger = localHost({ url: host.url, token: "not-the-token-of-the-host" });
    expect(await refusal(stranger.find(5001))).toMatchObject({ status: 401, code: "auth.required" });
  });
});

test("the port is in HOME/port while the host listens", () => {
  expect(existsSync(join(home, "port"))).toBe(true);
});
