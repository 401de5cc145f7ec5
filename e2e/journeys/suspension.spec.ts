import { type Api } from "#e2e/client.ts";
import { expect, finish, gameServer, type Operation, statusUntil, test } from "#e2e/fixtures.ts";
import { join, ping } from "#e2e/minecraft.ts";
import { until } from "#e2e/stack.ts";

const version = "1.16.5";
const override = (accountId: string) => `/api/admin/billing/accounts/${accountId}/override`;
const power = (api: Api, id: string, action: "start" | "stop" | "restart") =>
  api.send<{ operation: Operation; code: string }>("POST", `/api/servers/${id}/game/${action}`);

test("suspended by an operator, the game stops and nothing of the customer's wishes is touched; lifted, it runs again", async ({
  ada,
  operator,
}) => {
  const running = await gameServer(ada, { name: "runs" });
  const resting = await gameServer(ada, { name: "was stopped" });
  const stopping = await power(ada, resting.id, "stop");
  expect(await finish(ada, stopping.body.operation.id)).toMatchObject({ status: "succeeded" });
  await statusUntil(ada, running.id, (s) => s["connectable"] === true);
  const player = await join(running.address, version, "Ada");
  const thrownOut = new Promise<string>((resolve) => player.ended(() => resolve("thrown out")));

  const body = { serverBillingState: "suspended_shutdown", reason: "invoice 42 is not paid" };
  expect((await operator.send("PUT", override(ada.accountId), body)).status).toBe(200);
  const stopped = await statusUntil(
    ada,
    running.id,
    (s) => (s["agent"] as { state: string }).state === "idle" && s["operation"] === null,
    60_000,
  );
  expect(await thrownOut).toBe("thrown out");
  await expect(ping(running.address, version)).rejects.toThrow();
  expect(stopped).toMatchObject({
    desired: "running",
    agentReady: false,
    connectable: false,
    // The container stays up, so that everything can still be read.
    host: { status: "online" },
    billing: { serverState: "suspended_shutdown" },
  });

  for (const id of [running.id, resting.id])
    for (const action of ["start", "restart"] as const) {
      const refused = await power(ada, id, action);
      expect([id, action, refused.status, refused.body.code]).toEqual([id, action, 402, "billing.gated"]);
    }
  const refused = await ada.send("POST", `/api/servers/${running.id}/host/start`);
  expect([refused.status, refused.body["code"]]).toEqual([402, "billing.gated"]);
  const created = await ada.send("POST", "/api/servers", { ctype: "game" });
  expect([created.status, created.body["code"]]).toEqual([402, "billing.gated"]);
  for (const path of [
    "/api/servers",
    "/api/instances",
    "/api/billing",
    `/api/servers/${running.id}`,
    `/api/servers/${running.id}/status`,
    `/api/servers/${running.id}/players`,
    `/api/operations/${stopping.body.operation.id}`,
  ])
    expect([path, (await ada.get(path)).status]).toEqual([path, 200]);
  expect((await ada.get(`/api/servers/${resting.id}/status`)).body).toMatchObject({ desired: "stopped" });

  expect((await operator.send("DELETE", override(ada.accountId))).status).toBe(200);
  const lifted = await statusUntil(ada, running.id, (s) => s["connectable"] === true, 60_000);
  expect(lifted).toMatchObject({ desired: "running", billing: { serverState: "allowed" } });
  const back = await join(String(lifted["address"]), version, "Ada");
  back.leave();

  // Long enough for whoever would start the other one as well: it has been looked at once more since.
  const seenAt = Date.now();
  const other = await statusUntil(
    ada,
    resting.id,
    (s) => Date.parse((s["host"] as { observedAt: string }).observedAt) > seenAt,
  );
  expect(other).toMatchObject({ desired: "stopped", agentReady: false, agent: { state: "idle" } });
  await until(async () => (await power(ada, running.id, "stop")).status === 202, 10_000, "a last stop");
});

test("a suspended customer may delete what he no longer pays for", async ({ ada, operator }) => {
  const server = await gameServer(ada);
  const body = { serverBillingState: "retained", reason: "unpaid for two weeks" };
  expect((await operator.send("PUT", override(ada.accountId), body)).status).toBe(200);
  await statusUntil(
    ada,
    server.id,
    (s) => (s["billing"] as { serverState: string }).serverState === "retained",
  );
  await until(
    async () => {
      const stopping = await ada.send<{ operation: Operation }>(
        "POST",
        `/api/servers/${server.id}/host/stop`,
      );
      return (
        stopping.status === 202 && (await finish(ada, stopping.body.operation.id)).status === "succeeded"
      );
    },
    60_000,
    "the host to be stopped",
  );
  const deleting = await ada.send<{ operationId: string }>("DELETE", `/api/servers/${server.id}`);
  expect(deleting.status, JSON.stringify(deleting.body)).toBe(202);
  expect(await finish(ada, deleting.body.operationId)).toMatchObject({ status: "succeeded" });
  expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
});
