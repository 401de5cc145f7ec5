import { existsSync } from "node:fs";
import { takeAway } from "#e2e/chaos/victims.ts";
import { type Api, customer, operator } from "#e2e/client.ts";
import { devServer, expect, finish, gameServer, type Operation, statusUntil, test } from "#e2e/fixtures.ts";
import { askHost, containersOf, diskOf } from "#e2e/host.ts";
import { join, ping } from "#e2e/minecraft.ts";
import { type RunningStack, startStack, until } from "#e2e/stack.ts";

type Accepted = { operationId: string; operation: Operation; code: string; retryable: boolean };
type Report = {
  counts: { rows: number; containers: number };
  rowsWithoutContainer: { vmid: number; instanceId: string }[];
  containersWithoutRow: { vmid: number; ours: boolean }[];
  wrongNode: unknown[];
};

let stack: RunningStack;
let ada: Api;
let root: Api;
test.beforeAll(async () => {
  stack = await startStack({
    env: { PROVISIONING_HOST_TIMEOUT_MS: "1500", PROVISIONING_HOST_SLOW_MS: "5000" },
  });
  ada = await customer(stack.url);
  root = await operator(stack.url, stack.credentials);
});
test.afterAll(() => stack.stop());

const remove = (api: Api, id: string, query = "") =>
  api.send<Accepted>("DELETE", `/api/servers/${id}${query}`);
const report = async () => (await root.get<Report>("/api/admin/inventory")).body;
const nothingWrong = { rowsWithoutContainer: [], containersWithoutRow: [], wrongNode: [] };

async function shutDown(id: string): Promise<void> {
  const stopping = await ada.send<Accepted>("POST", `/api/servers/${id}/host/stop`);
  expect(stopping.status, JSON.stringify(stopping.body)).toBe(202);
  expect(await finish(ada, stopping.body.operation.id)).toMatchObject({ status: "succeeded" });
}

test("a game with a player in it, deleted by force: the player is thrown out, the disk is gone, and the audit log knows", async () => {
  const server = await gameServer(ada);
  await statusUntil(ada, server.id, (s) => s["connectable"] === true);
  const player = await join(server.address, "1.16.5", "Ada");
  const thrownOut = new Promise<void>((resolve) => player.ended(resolve));
  expect((await remove(ada, server.id)).body.code).toBe("provisioning.still_running");
  await ping(server.address, "1.16.5");
  const disk = diskOf(stack.home, server.id);
  expect(existsSync(disk)).toBe(true);

  const forced = await remove(root, server.id, "?force=true");
  expect(forced.status, JSON.stringify(forced.body)).toBe(202);
  expect(await finish(ada, forced.body.operationId)).toMatchObject({ status: "succeeded" });
  await thrownOut;
  await expect(ping(server.address, "1.16.5")).rejects.toThrow();
  expect(existsSync(disk)).toBe(false);
  expect(await containersOf(stack.home)).toEqual([]);
  expect(await report()).toMatchObject({ ...nothingWrong, counts: { rows: 0, containers: 0 } });
  await until(
    async () =>
      JSON.stringify((await root.get(`/api/audit?target=${server.instanceId}`)).body).includes(
        "server.delete.force",
      ),
    10_000,
    "the audit log to know of the force",
  );
});

test("while the host is silent, a deletion is refused as something to try again, and nothing is accepted", async () => {
  const server = await devServer(ada);
  await shutDown(server.id);
  const bringBack = await takeAway(stack, "local-host", "silent");
  try {
    const refused = await remove(ada, server.id);
    expect([503, 504]).toContain(refused.status);
    expect(refused.body.retryable).toBe(true);
    expect((await ada.get(`/api/servers/${server.id}`)).body).toMatchObject({ operationInProgress: false });
    const asked = await root.get("/api/admin/inventory");
    expect([asked.status, asked.body["retryable"]]).toEqual([503, true]);
  } finally {
    await bringBack();
  }
  const accepted = await remove(ada, server.id);
  expect(accepted.status, JSON.stringify(accepted.body)).toBe(202);
  expect(await finish(ada, accepted.body.operationId)).toMatchObject({ status: "succeeded" });
});

test("the host dies when a deletion was accepted: it is settled when the host is back, once", async () => {
  const server = await devServer(ada);
  await shutDown(server.id);
  const accepted = await remove(ada, server.id);
  const bringBack = await takeAway(stack, "local-host", "gone");
  await bringBack();
  expect(await finish(ada, accepted.body.operationId)).toMatchObject({ status: "succeeded", error: null });
  expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
  await until(async () => (await containersOf(stack.home)).length === 0, 5_000, "the host to be empty");
});

test("what somebody did behind our back is named by the inventory, and no reason to keep a server", async () => {
  const server = await devServer(ada);
  const vmid = Number(server.id);
  await shutDown(server.id);
  expect(await report()).toMatchObject({ ...nothingWrong, counts: { rows: 1, containers: 1 } });
  expect((await askHost(stack.home, "DELETE", `/containers/${vmid}`)).status).toBe(200);
  expect(await report()).toMatchObject({
    ...nothingWrong,
    rowsWithoutContainer: [{ vmid, instanceId: server.instanceId }],
  });
  const stranger = { vmid, hostname: "theirs", description: "do not touch", memoryMiB: 64 };
  expect((await askHost(stack.home, "POST", "/containers", stranger)).status).toBe(201);
  expect(await report()).toMatchObject({
    rowsWithoutContainer: [{ vmid }],
    containersWithoutRow: [{ vmid, ours: false }],
  });

  const accepted = await remove(ada, server.id);
  expect(accepted.status, JSON.stringify(accepted.body)).toBe(202);
  expect(await finish(ada, accepted.body.operationId)).toMatchObject({ status: "succeeded" });
  expect(await containersOf(stack.home)).toMatchObject([{ vmid, description: "do not touch" }]);
  expect(await report()).toMatchObject({ ...nothingWrong, containersWithoutRow: [{ vmid, ours: false }] });
  expect((await askHost(stack.home, "DELETE", `/containers/${vmid}`)).status).toBe(200);
  expect(await report()).toMatchObject({ ...nothingWrong, counts: { rows: 0, containers: 0 } });
});
