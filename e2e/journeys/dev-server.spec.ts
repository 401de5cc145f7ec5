import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Api, customer, operator } from "#e2e/client.ts";
import { devServer, expect, finish, type Operation, smallDev, statusUntil, test } from "#e2e/fixtures.ts";
import { agentTokenOf, containersOf, diskOf } from "#e2e/host.ts";
import { type RunningStack, startStack } from "#e2e/stack.ts";

type Accepted = { operationId: string; operation: Operation };
type Customer = Api & { accountId: string };

const host = (api: Api, id: string, action: "start" | "stop") =>
  api.send<Accepted>("POST", `/api/servers/${id}/host/${action}`);

/** Stops the container and waits until it is down. */
async function shutDown(api: Api, id: string): Promise<void> {
  const stopping = await host(api, id, "stop");
  expect(stopping.status, JSON.stringify(stopping.body)).toBe(202);
  expect(await finish(api, stopping.body.operation.id)).toMatchObject({ status: "succeeded" });
}

async function remove(api: Api, id: string, headers = {}): Promise<Operation> {
  const deleting = await api.send<Accepted>("DELETE", `/api/servers/${id}`, undefined, headers);
  expect(deleting.status, JSON.stringify(deleting.body)).toBe(202);
  return finish(api, deleting.body.operationId);
}

test("a dev server is made and runs, its host is stopped and started, and it is deleted once it is stopped", async ({
  ada,
  bob,
}) => {
  const server = await devServer(ada, { name: "My workspace" });
  const { id } = server;
  const status = await statusUntil(ada, id, (s) => s["agentReady"] === true);
  expect(status).toMatchObject({ id, desired: "running", host: { status: "online" }, operation: null });
  const row = (await ada.get(`/api/servers/${id}`)).body;
  expect(row).toMatchObject({ category: "DEV", hostStatus: "online", name: "My workspace" });

  await shutDown(ada, id);
  const down = await statusUntil(ada, id, (s) => (s["host"] as { status: string }).status === "offline");
  expect(down).toMatchObject({ desired: "stopped", agentReady: false, operation: null });
  const starting = await host(ada, id, "start");
  expect(starting.status).toBe(202);
  expect(await finish(ada, starting.body.operation.id)).toMatchObject({ status: "succeeded", serverId: id });
  await statusUntil(ada, id, (s) => s["desired"] === "running" && s["agentReady"] === true);

  for (const path of [`/api/servers/${id}`, `/api/containers/${id}`]) {
    const refused = await ada.send("DELETE", path);
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: "provisioning.still_running", retryable: false });
  }
  expect((await ada.send("DELETE", `/api/servers/${id}?force=true`)).status).toBe(403);
  const theirs = await bob.send("DELETE", `/api/servers/${id}`);
  const nobodys = await bob.send("DELETE", "/api/servers/999999");
  expect([theirs.status, theirs.body["code"]]).toEqual([404, "servers.not_found"]);
  expect([nobodys.status, nobodys.body["code"]]).toEqual([404, "servers.not_found"]);
  expect((await ada.get(`/api/servers/${id}/status`)).body).toMatchObject({ operation: null });

  await shutDown(ada, id);
  const key = { "idempotency-key": `delete ${id}`.replace(" ", "-") };
  const deleting = await ada.send<Accepted>("DELETE", `/api/servers/${id}`, undefined, key);
  expect(deleting.status, JSON.stringify(deleting.body)).toBe(202);
  const { operationId } = deleting.body;
  const again = await ada.send<Accepted>("DELETE", `/api/servers/${id}`, undefined, key);
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([202, "true"]);
  expect(again.body).toEqual(deleting.body);
  const operation = await finish(ada, operationId);
  expect(operation, JSON.stringify(operation)).toMatchObject({
    type: "delete-server",
    status: "succeeded",
    serverId: id,
    error: null,
  });
  expect(operation.steps?.map((step) => `${step.name} ${step.status}`)).toEqual(
    [
      "check-stopped",
      "archive-instance",
      "unpublish-edge",
      "unregister-proxy",
      "destroy-container",
      "delete-row",
      "release-vmid",
    ].map((name) => `${name} done`),
  );

  expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
  expect((await ada.get("/api/instances")).body).toEqual({ ok: true, rows: [] });
  for (const path of [`/api/servers/${id}`, `/api/servers/${id}/status`])
    expect((await ada.get(path)).status).toBe(404);
  expect((await ada.send("DELETE", `/api/servers/${id}`)).status).toBe(404);
  const replayed = await ada.send<Accepted>("DELETE", `/api/servers/${id}`, undefined, key);
  expect([replayed.status, replayed.body.operationId]).toEqual([202, operationId]);
  expect((await ada.get(`/api/operations/${operationId}`)).body).toMatchObject({ status: "succeeded" });
  expect((await bob.get(`/api/operations/${operationId}`)).status).toBe(404);

  const next = await devServer(ada);
  expect(next.id, "a number rests for a day").not.toBe(id);
  await shutDown(ada, next.id);
  expect(await remove(ada, next.id)).toMatchObject({ status: "succeeded" });
});

test("an operator deletes a running server by force: it is stopped first, and the customer's plan is free again", async ({
  ada,
  operator: root,
}) => {
  const server = await devServer(ada);
  const forced = await root.send<Accepted>("DELETE", `/api/servers/${server.id}?force=true`);
  expect(forced.status, JSON.stringify(forced.body)).toBe(202);
  expect(await finish(ada, forced.body.operationId)).toMatchObject({ status: "succeeded" });
  expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
});

test.describe("the only number there is, used again by another customer", () => {
  // A day of rest, made short enough to be waited for and long enough to be seen.
  const restMs = 4_000;
  let stack: RunningStack;
  test.beforeAll(async () => {
    stack = await startStack({
      env: { VMID_RANGES: "game:5000-5000,dev:6000-6000", VMID_REST_MS: String(restMs) },
    });
  });
  test.afterAll(() => stack.stop());

  test("waits until the number has rested, and finds nothing of the first one", async () => {
    const ada: Customer = await customer(stack.url);
    const bob: Customer = await customer(stack.url);
    const root = await operator(stack.url, stack.credentials);
    const first = await devServer(ada, { name: "secret plans" });
    expect(first.id).toBe("6000");
    const token = agentTokenOf(stack.home, "6000");
    const disk = diskOf(stack.home, "6000");
    writeFileSync(join(disk, "diary.txt"), "nobody must read this");
    const before = (await ada.get("/api/servers/6000/status")).body;
    await shutDown(ada, "6000");
    const deleted = await remove(ada, "6000");
    expect(deleted).toMatchObject({ status: "succeeded" });
    const released = Date.now();
    expect(await containersOf(stack.home)).toEqual([]);
    expect((await root.get("/api/admin/inventory")).body).toMatchObject({
      counts: { rows: 0, containers: 0 },
      rowsWithoutContainer: [],
      containersWithoutRow: [],
      wrongNode: [],
    });

    const created = await bob.send<Accepted>("POST", "/api/servers", { ...smallDev, name: "fresh" });
    expect(created.status).toBe(202);
    const operation = await finish(bob, created.body.operationId);
    expect(operation, JSON.stringify(operation)).toMatchObject({ status: "succeeded", serverId: "6000" });
    expect(Date.now() - released).toBeGreaterThan(restMs - 500);

    const path = "/api/servers/6000";
    const row = (await bob.get(path)).body;
    expect(row["instanceId"]).not.toBe(first.instanceId);
    expect(row).toMatchObject({ name: "fresh" });
    for (const read of [path, `${path}/status`, `${path}/players`])
      expect([read, (await ada.get(read)).status]).toEqual([read, 404]);
    for (const action of ["host/start", "host/stop", "host/restart", "game/start"])
      expect([action, (await ada.send("POST", `${path}/${action}`)).status]).toEqual([action, 404]);
    expect((await ada.send("DELETE", path)).status).toBe(404);
    expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
    // Each sees the history of his own server alone.
    expect((await ada.get(`/api/operations/${deleted.id}`)).body).toMatchObject({ status: "succeeded" });
    for (const [who, id] of [
      [bob, deleted.id],
      [ada, operation.id],
    ] as const)
      expect((await who.get(`/api/operations/${id}`)).status).toBe(404);

    const status = (await bob.get(`${path}/status`)).body;
    expect(JSON.stringify([row, status])).not.toContain(String(before["hostname"]));
    expect(JSON.stringify([row, status])).not.toContain("secret plans");
    const [hers, his] = [await ada.get("/api/audit"), await bob.get("/api/audit")];
    expect([hers.status, his.status]).toEqual([200, 200]);
    expect(JSON.stringify(his.body)).not.toContain(first.instanceId);
    expect(JSON.stringify(his.body)).not.toContain(ada.accountId);
    expect(JSON.stringify(hers.body)).not.toContain(String(row["instanceId"]));
    const container = (await containersOf(stack.home)).find(({ vmid }) => vmid === 6000);
    expect(container?.description).toContain(String(row["instanceId"]));
    expect(readdirSync(disk, { recursive: true })).not.toContain("diary.txt");
    const asked = await fetch(`http://127.0.0.1:${container?.agentPort}/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(asked.status, "the agent of the new server does not know the old secret").toBe(401);
    expect(agentTokenOf(stack.home, "6000")).not.toBe(token);
    await shutDown(bob, "6000");
  });
});
