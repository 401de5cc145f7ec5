import { api } from "#e2e/client.ts";
import { expect, finish, smallGame, statusUntil, test } from "#e2e/fixtures.ts";
import { join, ping } from "#e2e/minecraft.ts";

test("a customer registers, creates a game server, a player joins it, and it is stopped", async ({ url }) => {
  const username = `journey${Date.now().toString(36)}`;
  const account = { email: `${username}@example.org`, username, password: "correct horse battery staple" };
  const registered = await api(url).send("POST", "/api/auth/register", account);
  expect(registered.status).toBe(201);
  expect(registered.body).toMatchObject({ ok: true, token: expect.any(String), expiresIn: 3600 });

  const login = { identifier: username, password: account.password };
  const loggedIn = await api(url).send<{ token: string }>("POST", "/api/auth/login", login);
  expect(loggedIn.status).toBe(200);
  const me = api(url, loggedIn.body.token);
  expect((await me.get("/api/servers")).body).toEqual({ servers: [] });

  const began = Date.now();
  const created = await me.send<{ operationId: string; statusUrl: string }>(
    "POST",
    "/api/servers",
    { ...smallGame, name: "My first world" },
    { "idempotency-key": "first" },
  );
  expect(created.status).toBe(202);
  expect(created.body).toMatchObject({ ok: true, statusUrl: `/api/operations/${created.body.operationId}` });
  const operation = await finish(me, created.body.operationId);
  expect(operation, JSON.stringify(operation)).toMatchObject({ status: "succeeded", error: null });
  expect(operation.steps?.map(({ name, status }) => `${name} ${status}`)).toEqual(
    [
      "allocate-vmid",
      "clone-container",
      "configure-container",
      "start-container",
      "wait-for-ip",
      "send-agent-config",
      "wait-ready",
      "persist-instance",
      "publish-edge",
      "register-proxy",
      "confirm",
    ].map((name) => `${name} done`),
  );
  const id = String(operation.result?.["serverId"]);
  test.info().annotations.push({ type: "create to ready", description: `${Date.now() - began} ms` });

  const status = await statusUntil(me, id, (s) => s["connectable"] === true);
  expect(status).toMatchObject({
    id,
    name: "My first world",
    desired: "running",
    agentReady: true,
    readiness: { source: "agent:/ready", ready: true, stale: false },
    host: { status: "online" },
    agent: { status: "online", state: "running" },
    operation: null,
    operationInProgress: false,
    billing: { status: "active", serverState: "allowed" },
  });
  const rows = (await me.get<{ servers: Record<string, unknown>[] }>("/api/servers")).body.servers;
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({
    id,
    vmid: Number(id),
    category: "GAME",
    agentReady: true,
    connectable: true,
  });

  const address = String(status["address"]);
  expect(await ping(address, "1.16.5")).toMatchObject({ online: 0 });
  const player = await join(address, "1.16.5", "Ada");
  await statusUntil(me, id, (s) => (s["players"] as { online: number } | undefined)?.online === 1);
  player.leave();

  const stop = await me.send<{ operation: { id: string } }>("POST", `/api/servers/${id}/game/stop`);
  expect(stop.status, JSON.stringify(stop.body)).toBe(202);
  expect(await finish(me, stop.body.operation.id)).toMatchObject({ status: "succeeded", serverId: id });
  const stopped = await statusUntil(me, id, (s) => s["agentReady"] === false);
  expect(stopped).toMatchObject({ desired: "stopped", connectable: false, host: { status: "online" } });
  await expect(ping(address, "1.16.5")).rejects.toThrow();

  const start = await me.send<{ operation: { id: string } }>("POST", `/api/servers/${id}/game/start`);
  expect(start.status, JSON.stringify(start.body)).toBe(202);
  expect(await finish(me, start.body.operation.id)).toMatchObject({ status: "succeeded" });
  await statusUntil(me, id, (s) => s["connectable"] === true);
  (await join(String((await me.get(`/api/servers/${id}`)).body["address"]), "1.16.5", "Ada")).leave();
  expect((await me.send("POST", `/api/servers/${id}/game/stop`)).status).toBe(202);
});
