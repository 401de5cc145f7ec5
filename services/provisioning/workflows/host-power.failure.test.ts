import { afterAll, describe, expect, test } from "bun:test";
import { hostPowerForTest, type HostRoute } from "../testing/host-power.ts";

const made = await hostPowerForTest({ working: true });
afterAll(() => made[Symbol.asyncDispose]());
const { ask, host, registry } = made;

const end = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).end();
const START = "POST /containers/:vmid/start";
const STOP = "POST /containers/:vmid/stop";
const routes: [HostRoute, string][] = [
  ["startHost", START],
  ["stopHost", STOP],
  ["restartHost", STOP],
  ["restartHost", START],
];

describe("the host", () => {
  test.each(routes)("refuses %s at %s: it fails with the host's words", async (route, request) => {
    const server = await made.server({ running: route !== "startHost" });
    void host.trouble.next(request, "fails");
    expect(await end(route, server)).toMatchObject({
      status: "failed",
      error: {
        code: "provisioning.host_refused",
        message: "The host refused: the host says internal.error",
        retryable: false,
        details: { upstream: { service: "host", body: "the host says internal.error" } },
      },
    });
    // The wish is the customer's, and the lock is free: the same can be asked for again.
    expect(server.wish()).toBe(route === "stopHost" ? "stopped" : "running");
    expect(await end(route, server)).toMatchObject({ status: "succeeded" });
  });

  test.each(routes)(
    "does not say whether it has done its part in %s at %s: it is looked up",
    async (route, request) => {
      for (const mishap of ["lost after", "lost before"] as const) {
        const server = await made.server({ running: route !== "startHost" });
        void host.trouble.next(request, mishap);
        expect(await end(route, server)).toMatchObject({ status: "succeeded", error: null });
        expect(server.container()?.status).toBe(route === "stopHost" ? "stopped" : "running");
      }
    },
  );

  test("stays silent after a stop: the operation says unknown until it is found out", async () => {
    const server = await made.server();
    let back = () => {};
    void host.trouble.next(STOP, () => {
      back = host.trouble.always("GET /containers/:vmid", "away");
      return "lost after";
    });
    const { until, end: ended } = await ask("stopHost", server);
    expect(await until(({ status }) => status === "unknown")).toMatchObject({
      phase: "stop-container",
      finishedAt: null,
    });
    expect(server.lock()).toBeDefined();
    back();
    expect(await ended()).toMatchObject({ status: "succeeded" });
  });

  test.each(routes)("is away for a while in %s at %s: it goes on when it is back", async (route, request) => {
    const server = await made.server({ running: route !== "startHost" });
    for (let times = 0; times < 3; times++) void host.trouble.next(request, "away");
    expect(await end(route, server)).toMatchObject({ status: "succeeded" });
  });

  test.each(["startHost", "restartHost"] as const)(
    "saw the agent end at its start in %s, as one that is killed does: it is started again",
    async (route) => {
      const server = await made.server({ running: route !== "startHost" });
      void host.trouble.next(START, "ended");
      expect(await end(route, server)).toMatchObject({ status: "succeeded", error: null });
      expect(server.container()?.status).toBe("running");
    },
  );
});

describe("a container that is not this server's", () => {
  test.each(["startHost", "stopHost", "restartHost"] as const)("is not touched by %s", async (route) => {
    const server = await made.server({ running: route !== "startHost" });
    const container = server.container();
    if (!container) throw new Error("there is no container");
    Object.assign(container, { description: "somebody else's now", tags: [] });
    const before = container.status;
    const from = host.log.length;
    expect(await end(route, server)).toMatchObject({
      status: "failed",
      error: { code: "provisioning.container_lost" },
    });
    expect(host.log.slice(from).filter((each) => !each.startsWith("GET"))).toEqual([]);
    expect(container.status).toBe(before);
    expect(server.lock()).toBeUndefined();
  });

  test("nor is one that is gone made up for", async () => {
    const server = await made.server();
    host.containers.delete(server.vmid);
    expect(await end("startHost", server)).toMatchObject({
      status: "failed",
      error: { code: "provisioning.container_lost" },
    });
  });
});

describe("the lock", () => {
  test("that another operation has taken ends the work before anything is done", async () => {
    const server = await made.server();
    const { instanceId } = server;
    void registry.trouble.next("heartbeat", () => {
      registry.locks.delete(instanceId);
      registry.lock(instanceId, "bkp_1");
    });
    expect(await end("stopHost", server)).toMatchObject({
      status: "failed",
      error: { code: "provisioning.lock_lost" },
    });
    expect(server.container()?.status).toBe("running");
    expect(server.wish()).toBe("running");
    expect(server.lock()).toMatchObject({ operationId: "bkp_1" });
  });

  test("that is lost in the middle keeps the next step from acting", async () => {
    const server = await made.server();
    void host.trouble.next(STOP, () => {
      registry.locks.delete(server.instanceId);
      registry.lock(server.instanceId, "bkp_1");
    });
    expect(await end("restartHost", server)).toMatchObject({
      status: "failed",
      error: { code: "provisioning.lock_lost" },
    });
    expect(server.container()?.status).toBe("stopped");
    expect(server.lock()).toMatchObject({ operationId: "bkp_1" });
  });

  test.each(["heartbeat", "setHostDesired", "unlock"])(
    "is asked about again when %s gets no answer",
    async (call) => {
      const server = await made.server();
      void registry.trouble.next(call, "lost after");
      void registry.trouble.next(call, "lost before");
      expect(await end("stopHost", server)).toMatchObject({ status: "succeeded" });
      expect(server.lock()).toBeUndefined();
    },
  );
});

describe("it gives up", () => {
  test("on an agent that does not answer, and says so", async () => {
    await using quick = await hostPowerForTest({ working: true, settings: { PROVISIONING_ADDRESS_MS: 30 } });
    quick.host.behaviour.ailing = true;
    const server = await quick.server({ running: false });
    const { end: ended } = await quick.ask("startHost", server);
    expect(await ended()).toMatchObject({
      status: "failed",
      error: {
        code: "provisioning.agent_silent",
        message: "The container was started, and its agent did not answer within 0.03 s",
      },
    });
    expect(server.lock()).toBeUndefined();
  });

  test("on a host that stays away", async () => {
    await using quick = await hostPowerForTest({
      working: true,
      settings: { PROVISIONING_GIVE_UP_MS: 30, PROVISIONING_SHUTDOWN_MS: 0 },
    });
    const server = await quick.server();
    quick.host.trouble.always(/containers/, "away");
    const { end: ended } = await quick.ask("stopHost", server);
    expect(await ended()).toMatchObject({
      status: "failed",
      error: {
        code: "service.unavailable",
        message: "The host cannot do it at the moment: the host says host.stopping",
        retryable: true,
      },
    });
    expect(server.lock()).toBeUndefined();
  });
});
