import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gateway } from "#gateway/auth/contract.ts";
import { client, type Client } from "#shared/bus/client.ts";
import { serve, type Served } from "#shared/bus/serve.ts";
import { connectDb, type Db } from "#shared/db/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { newId } from "#shared/ids/ids.ts";
import { refusal } from "#shared/testing/call.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { billing } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers as contract } from "./contract.ts";
import { serversService } from "./service.ts";
import { stubAgent } from "./testing/agent.ts";
import { type Door, doorTo } from "./testing/door.ts";
import { eventually, serversForTest, until } from "./testing/servers.ts";

// What callers are told while a neighbour is away, and the way back: asked through the bus, as the gateway asks.

type Servers = Awaited<ReturnType<typeof serversForTest>>;
let mesh: Mesh;
let pg: TestPostgres;
let door: Door;
let db: Db;
let servers: Servers;
let served: Served;
let ask: Client<(typeof contract)["routes"]>;

beforeAll(async () => {
  const folders = [
    mechanismMigrations,
    { name: "servers", dir: new URL("./migrations", import.meta.url).pathname },
  ];
  [mesh, pg] = await Promise.all([
    meshForTest([gateway, contract, provisioning, billing]),
    postgresForTest({ schema: "servers", folders }),
  ]);
  door = doorTo(pg.url);
  db = connectDb({ url: door.url, schema: "servers", name: "servers", max: 8 });
  servers = await serversForTest({
    db,
    running: true,
    config: {
      RECORD_MS: 0,
      POWER_CALL_MS: 500,
      AGENT_POLL_MS: 100,
      AGENT_CALL_MS: 300,
      STATUS_FRESH_MS: 50,
      POWER_POLL_MS: 20,
    },
  });
  const { authority } = servers;
  const hooks = { log: silentLogger, authority, newOperationId: () => newId("srv") };
  served = await serve(await mesh.bus("servers"), serversService(servers.deps), hooks);
  ask = {
    ...client(await mesh.bus("gateway"), contract),
    authorize: client(await mesh.bus("provisioning"), contract).authorize,
  };
});
afterAll(async () => {
  await served.stop();
  await servers[Symbol.asyncDispose]();
  await db.close();
  door[Symbol.dispose]();
  await mesh[Symbol.asyncDispose]();
  await pg[Symbol.asyncDispose]();
});

/** Every way in which a customer asks for a server of his. */
const asked = ({ id, owner: actor }: Awaited<ReturnType<Servers["open"]>>) => ({
  list: () => ask.listServers({}, { actor }),
  instances: () => ask.listInstances({}, { actor }),
  row: () => ask.getServer({ id }, { actor }),
  status: () => ask.getStatus({ id }, { actor }),
  players: () => ask.getPlayers({ id }, { actor }),
  start: () => ask.startGame({ id }, { actor }),
  authorize: () => ask.authorize({ serverId: id, action: "files.read" }, { actor }),
});
const reads = ["list", "instances", "row", "status", "authorize"] as const;
const tryLater = { status: expect.any(Number), retryable: true };

describe("Postgres is away", () => {
  test("503 service.unavailable, retryable, for whatever is asked; and all is well when it is back", async () => {
    await using agent = stubAgent();
    const calls = asked(await servers.open({ agent: agent.access }));
    for (const read of reads) await calls[read]();
    door.shut();
    try {
      const gone = { status: 503, code: "service.unavailable", retryable: true };
      for (const call of Object.values(calls)) expect(await refusal(call())).toMatchObject(gone);
      expect(agent.calls.get("/start")).toBeUndefined();
    } finally {
      door.open();
    }
    for (const read of reads) await eventually<unknown>(calls[read]);
    expect((await calls.start()).operation.status).toBe("succeeded");
  });

  test("an operation that was accepted before comes to its end afterwards", async () => {
    await using agent = stubAgent();
    agent.startsInto = "starting";
    const { id, owner: actor } = await servers.open({ agent: agent.access });
    const { operation } = await ask.restartGame({ id }, { actor });
    door.shut();
    Object.assign(agent.says, { state: "running", ready: true });
    door.open();
    const read = () => eventually(() => ask.getOperation({ operationId: operation.id }, { actor }));
    const ended = await until(read, ({ status }) => status !== "running");
    expect(ended.status).toBe("succeeded");
    expect(agent.calls.get("/restart")).toBe(1);
  });

  test("202: it goes away while the agent is asked; the operation is written, and ends truthfully", async () => {
    await using agent = stubAgent();
    await using unwilling = stubAgent();
    Object.assign(agent.says, { state: "idle", ready: false });
    const away = (said: object, status: number) => () => {
      door.shut();
      return Response.json(said, { status });
    };
    const calls = asked(await servers.open({ agent: agent.access }));
    agent.answer("/start", away({ ok: true, state: "starting" }, 202));
    const started = await calls.start().finally(() => door.open());
    agent.answer("/start", undefined);
    const stubborn = await servers.open({ agent: unwilling.access });
    unwilling.answer("/stop", away({ error: "Never.", code: "no" }, 422));
    const { id, owner: actor } = stubborn;
    const stopped = await eventually(() => ask.stopGame({ id }, { actor })).finally(() => door.open());
    const end = ({ operation }: typeof started) => {
      expect(operation).toMatchObject({ status: "running", phase: "requested" });
      const read = () => eventually(() => servers.ask("getOperation", { operationId: operation.id }));
      return until(read, ({ status }) => status !== "running");
    };
    unwilling.answer("/stop", () => Response.json({ error: "Never.", code: "no" }, { status: 422 }));
    expect(await end(started)).toMatchObject({ status: "succeeded" });
    expect(await end(stopped)).toMatchObject({ status: "failed", error: { message: "Never." } });
  });
});

describe("NATS is away", () => {
  test("503 or 504, retryable; an operation under way goes on without it, and the way back is found", async () => {
    await using agent = stubAgent();
    agent.startsInto = "starting";
    const server = await servers.open({ agent: agent.access });
    const calls = asked(server);
    const { id, owner: actor } = server;
    const { operation } = await ask.restartGame({ id }, { actor });
    await mesh.server.kill();
    try {
      for (const read of reads) expect(await refusal(calls[read]())).toMatchObject(tryLater);
      Object.assign(agent.says, { state: "running", ready: true });
      const here = () => servers.ask("getOperation", { operationId: operation.id }, actor);
      const ended = await until(here, ({ status }) => status !== "running");
      expect(ended.status).toBe("succeeded");
    } finally {
      await mesh.server.restart();
    }
    for (const read of reads) await eventually<unknown>(calls[read]);
  });
});

describe("agents are away", () => {
  test("a silent agent slows nobody: lists and rows come from memory, also of its own server", async () => {
    await using agent = stubAgent();
    await using silent = stubAgent();
    const customerId = newId("acc");
    const dead = await servers.open({ agent: silent.access, customerId });
    await servers.open({ agent: agent.access, customerId });
    const calls = asked(dead);
    const status = async (n: number) => (await calls.list()).servers[n]?.status;
    await until(
      () => status(0),
      (word) => word === "running",
    );
    const { promise: never, resolve } = Promise.withResolvers<Response>();
    for (const path of ["/health", "/ready", "/status", "/version"]) silent.answer(path, () => never);
    await until(
      () => status(0),
      (word) => word === "offline",
    );
    await until(
      () => status(1),
      (word) => word === "running",
    );
    // Its own status asks it, is told nothing in time, and says so.
    const offline = { status: "offline", agentReady: false, host: { status: "offline" } };
    expect(await calls.status()).toMatchObject(offline);
    expect((await calls.status()).agent.error).toBe("The agent did not answer in time");
    resolve(new Response("too late"));
  });

  test("502 and 504, retryable: a power request; its wish is taken back, and the lock is free again", async () => {
    await using silent = stubAgent();
    const away = await servers.open();
    const mute = await servers.open({ agent: silent.access });
    const { promise: never, resolve } = Promise.withResolvers<Response>();
    silent.answer("/stop", () => never);
    const stop = ({ id, owner: actor }: typeof away) =>
      // The agent is given what is left of the call, less a second for what comes after it.
      ask.stopGame({ id }, { actor, deadline: Date.now() + 1_600 });
    expect(await refusal(stop(away))).toMatchObject({
      status: 502,
      code: "upstream.refused",
      retryable: true,
    });
    expect(await refusal(stop(mute))).toMatchObject({
      status: 504,
      code: "upstream.timeout",
      retryable: true,
    });
    resolve(new Response("too late"));
    for (const { id, instanceId } of [away, mute]) {
      const { instance } = await servers.ask("findInstance", { instanceId });
      expect(instance?.desired).toBe("running");
      expect((await servers.ask("getServer", { id })).operationInProgress).toBe(false);
    }
  });
});
