import { afterAll, describe, expect, test } from "bun:test";
import { creationForTest } from "../testing/creation.ts";

const made = await creationForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { host, registry, create, instanceOf, quota } = made;
const dev = { ctype: "dev", runtime: "node", name: "Ada's bench", memoryMiB: 512 };

describe("the creation of a dev container", () => {
  test("goes through the steps of a server and ends with a workspace", async () => {
    const { operationId, actor, end } = await create(dev);
    const operation = await end();
    expect(operation).toMatchObject({ type: "create-dev", status: "succeeded", error: null });
    expect(operation.steps?.map(({ name, status }) => `${name} ${status}`)).toEqual([
      "allocate-vmid done",
      "clone-container done",
      "configure-container done",
      "start-container done",
      "wait-for-ip done",
      "send-agent-config done",
      "wait-ready done",
      "persist-instance done",
      "publish-edge done",
      "register-proxy done",
      "confirm done",
    ]);
    expect(operation.steps?.[9]?.message).toContain("Skipped");
    const instanceId = await instanceOf(operationId);
    const vmid = Number(operation.serverId);
    expect(vmid).toBeGreaterThanOrEqual(6000);
    expect(operation.result).toEqual({ serverId: String(vmid), vmid, instanceId, address: null });

    const container = host.containers.get(vmid);
    const hostname = `adas-bench-${vmid}`;
    expect(container).toMatchObject({
      hostname,
      description: `zpack:test1:${instanceId}:${operationId}`,
      tags: [`zpack-test1-${instanceId}`],
      memoryMiB: 512,
      status: "running",
    });
    expect(registry.live.get(instanceId)).toMatchObject({
      customerId: actor.id,
      vmid,
      ctype: "dev",
      name: "Ada's bench",
      hostname,
      engineType: "node",
      engineVersion: "24.3.0",
      payload: {
        engine: { runtime: "node", version: "24.3.0", memoryMiB: 512, idePort: container?.idePort },
        // Nobody joins it; where its IDE is reached is decided at the edge.
        edge: { address: null, hostname, publishedAt: expect.any(String) },
      },
    });
    expect(container?.agent.configs).toEqual([
      {
        vmid,
        container_type: "dev",
        runtime: "node",
        version: "24.3.0",
        memory_mb: 512,
        enable_code_server: false,
        ide_port: container?.idePort ?? 0,
        auto_start: true,
      },
    ]);
  });

  test("publishes nothing before the agent says that one could work there", async () => {
    const stop = host.trouble.always("GET /ready", "away");
    const { operationId, until, end } = await create(dev);
    const waiting = await until(({ phase }) => phase === "wait-ready");
    expect(waiting.serverId).toBeUndefined();
    expect(registry.live.has(await instanceOf(operationId))).toBe(false);
    stop();
    expect(await end()).toMatchObject({ status: "succeeded", serverId: expect.stringMatching(/^6\d{3}$/) });
  });

  test("fails with the agent's own sentence when the workspace cannot be set up, and leaves nothing", async () => {
    const held = registry.held();
    host.behaviour.installError = "This machine has no node any more.";
    const { actor, operationId, end } = await create(dev);
    const operation = await end();
    delete host.behaviour.installError;
    expect(operation).toMatchObject({
      status: "failed",
      error: { code: "provisioning.agent_failed", message: "This machine has no node any more." },
    });
    expect([...host.containers.values()].some((c) => c.description.endsWith(operationId))).toBe(false);
    expect(registry.held()).toEqual(held);
    expect(await quota(actor.id)).toHaveLength(0);
  });
});

describe("the host's answer is lost", () => {
  test.each(["POST /containers", "PUT /containers/:vmid", "POST /containers/:vmid/start"])(
    "at %s: it is looked up, and there is one container",
    async (request) => {
      void host.trouble.next(request, "lost after");
      const { operationId, end } = await create(dev);
      expect(await end()).toMatchObject({ status: "succeeded" });
      const ours = [...host.containers.values()].filter((c) => c.description.endsWith(operationId));
      expect(ours).toHaveLength(1);
    },
  );
});

test("the host answers 500: the creation fails and leaves nothing", async () => {
  void host.trouble.next("POST /containers", "fails");
  const { actor, end } = await create(dev);
  expect(await end()).toMatchObject({ status: "failed", error: { code: "provisioning.host_refused" } });
  expect(await quota(actor.id)).toHaveLength(0);
});
