import { afterAll, describe, expect, test } from "bun:test";
import { hostPowerForTest } from "../testing/host-power.ts";
import { newId } from "#shared/ids/ids.ts";
import { beginHostPower } from "./host-power.ts";

const made = await hostPowerForTest({ working: true, settings: { PROVISIONING_HEARTBEAT_MS: 10 } });
afterAll(() => made[Symbol.asyncDispose]());
const { ask, host, registry } = made;

const end = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).end();
const stepsOf = (operation: Awaited<ReturnType<typeof end>>) => operation.steps?.map(({ name }) => name);
const START = "POST /containers/:vmid/start";
const STOP = "POST /containers/:vmid/stop";

describe("a container", () => {
  test("is started: its agent answers, the wish is written, the lock is free", async () => {
    const server = await made.server({ running: false });
    const operation = await end("startHost", server);
    expect(operation).toMatchObject({
      status: "succeeded",
      error: null,
      result: { vmid: server.vmid, host: "running" },
    });
    expect(stepsOf(operation)).toEqual([
      "hold-lock",
      "write-wish",
      "start-container",
      "wait-agent",
      "note-address",
      "release-lock",
    ]);
    expect(server.container()?.status).toBe("running");
    expect(server.wish()).toBe("running");
    expect(server.lock()).toBeUndefined();
  });

  test("is stopped, with a minute for what runs in it", async () => {
    const server = await made.server();
    host.stops.length = 0;
    const operation = await end("stopHost", server);
    expect(operation).toMatchObject({ status: "succeeded", result: { host: "stopped" } });
    expect(stepsOf(operation)).toEqual(["hold-lock", "write-wish", "stop-container", "release-lock"]);
    expect(host.stops).toEqual([{ timeoutMs: 60_000 }]);
    expect(server.container()?.status).toBe("stopped");
    expect(server.wish()).toBe("stopped");
    expect(server.lock()).toBeUndefined();
  });

  test("is restarted: stopped, then started", async () => {
    const server = await made.server({ ctype: "dev" });
    const from = host.log.length;
    expect(await end("restartHost", server)).toMatchObject({
      status: "succeeded",
      result: { host: "running" },
    });
    expect(host.log.slice(from).filter((each) => each.startsWith("POST"))).toEqual([STOP, START]);
    expect(server.container()?.status).toBe("running");
    expect(server.wish()).toBe("running");
  });

  test("that answers elsewhere after its start is found there: its agent, and its players", async () => {
    const server = await made.server();
    const { instanceId } = server;
    const edge = { address: "127.0.0.1:1", hostname: "here", publishedAt: "2030-01-01T00:00:00.000Z" };
    const eventAt = edge.publishedAt;
    await registry.servers.mergePayload({ instanceId, key: "edge", value: edge, eventAt });
    const container = server.container();
    if (container) container.gamePort = 29_999;
    expect(await end("restartHost", server)).toMatchObject({ status: "succeeded" });
    expect(registry.agents.get(instanceId)?.address).toBe(`http://127.0.0.1:${container?.agentPort}`);
    expect(registry.live.get(instanceId)?.payload["edge"]).toEqual({
      ...edge,
      address: "127.0.0.1:29999",
      publishedAt: expect.any(String),
    });
  });

  test("that is where it should be is left alone", async () => {
    const running = await made.server();
    const stopped = await made.server({ running: false });
    const from = host.log.length;
    expect(await end("startHost", running)).toMatchObject({ status: "succeeded" });
    expect(await end("stopHost", stopped)).toMatchObject({ status: "succeeded" });
    expect(host.log.slice(from).filter((each) => each.startsWith("POST"))).toEqual([]);
  });

  test("is started and stopped again as often as one likes", async () => {
    const server = await made.server();
    for (const route of ["stopHost", "startHost", "restartHost", "stopHost"] as const)
      expect(await end(route, server)).toMatchObject({ status: "succeeded" });
    expect(server.container()?.status).toBe("stopped");
  });
});

test("the lock is kept with heartbeats that say what is done, while the host takes its time", async () => {
  const server = await made.server();
  const gate = Promise.withResolvers<void>();
  void host.trouble.next(STOP, () => gate.promise);
  const { operation, until, end: ended } = await ask("stopHost", server);
  await until(({ phase }) => phase === "stop-container");
  const beats = () => registry.beats.filter((beat) => beat.operationId === operation.id);
  const so = beats().length;
  await until(() => beats().length > so + 3);
  expect(server.lock()).toMatchObject({
    type: "host.stop",
    phase: "stop-container",
    message: "Stopping the container",
  });
  gate.resolve();
  expect(await ended()).toMatchObject({ status: "succeeded" });
});

test("nothing is begun for who has been told that there is no answer", async () => {
  const server = await made.server();
  const operationId = newId("prv");
  const facts = { ...server, name: "one", hostname: "one", node: "local", lock: { operationId, fence: 1 } };
  const begun = made.query((tx) =>
    beginHostPower(tx, made.deps.sagas.restartHost, facts, { signal: AbortSignal.abort() }),
  );
  expect(begun).rejects.toMatchObject({ status: 504, code: "service.timeout" });
  const operations = await made.query((tx) => tx`select from operation where id = ${operationId}`);
  expect(operations).toHaveLength(0);
});
