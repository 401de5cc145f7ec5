import { afterAll, describe, expect, test } from "bun:test";
import { wrap } from "#shared/telemetry/log.ts";
import { creationForTest } from "../testing/creation.ts";

const logged: string[] = [];
const log = wrap((_, fields, message) => logged.push(JSON.stringify({ ...fields, message })), {});
const made = await creationForTest({ log });
afterAll(() => made[Symbol.asyncDispose]());
const { host, registry, create, instanceOf, query } = made;

describe("a creation", () => {
  test("goes through its steps in their order and ends with one server", async () => {
    const { operationId, actor, end } = await create({ name: "Ada's Wörld", memoryMiB: 512 });
    const operation = await end();
    expect(operation).toMatchObject({
      id: operationId,
      type: "create-game",
      status: "succeeded",
      error: null,
    });
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
    const { result, serverId = "" } = operation;
    const vmid = Number(serverId);
    const container = host.containers.get(vmid);
    const address = `127.0.0.1:${container?.gamePort}`;
    const instanceId = String(result?.["instanceId"]);
    expect(result).toEqual({ serverId, vmid, instanceId, address });

    const hostname = `adas-world-${vmid}`;
    expect(registry.live.get(instanceId)).toMatchObject({
      customerId: actor.id,
      vmid,
      ctype: "game",
      name: "Ada's Wörld",
      hostname,
      node: "local",
      ip: "127.0.0.1",
      engineType: "flying-squid",
      engineVersion: "1.16.5",
      payload: {
        engine: { game: "minecraft", variant: "flying-squid", version: "1.16.5", memoryMiB: 512 },
        edge: { address, hostname, publishedAt: expect.any(String) },
      },
    });
    expect(container).toMatchObject({
      hostname,
      description: `zpack:test1:${instanceId}:${operationId}`,
      tags: [`zpack-test1-${instanceId}`],
      memoryMiB: 512,
      status: "running",
    });
    expect(container?.agent.configs).toEqual([
      {
        vmid,
        container_type: "game",
        game: "minecraft",
        variant: "flying-squid",
        version: "1.16.5",
        memory_mb: 512,
        world: "world",
        game_port: container?.gamePort ?? 0,
        auto_start: true,
      },
    ]);
  });

  test("keeps the agent's secret out of everything but the registry and the host", async () => {
    const { operationId, end } = await create();
    const operation = await end();
    const agent = registry.agents.get(String(operation.result?.["instanceId"]));
    const container = host.containers.get(Number(operation.serverId));
    expect(agent).toEqual({
      address: `http://127.0.0.1:${container?.agentPort}`,
      token: container?.token ?? "",
    });
    expect(agent?.token).toMatch(/^[\w-]{43}$/);
    const rows = await query((tx) =>
      Promise.all([
        tx`select * from saga where operation_id = ${operationId}`,
        tx`select * from agent_token where operation_id = ${operationId}`,
        tx`select * from outbox`,
        tx`select * from idempotency`,
      ]),
    );
    expect(JSON.stringify([operation, rows, logged])).not.toContain(agent?.token ?? "");
    expect(rows[1]).toHaveLength(0);
  });

  test("starts the game itself when the agent was restarted after its installation", async () => {
    host.behaviour.forgetsStart = true;
    const { end } = await create();
    const operation = await end();
    delete host.behaviour.forgetsStart;
    expect(operation).toMatchObject({ status: "succeeded" });
  });

  test("publishes nothing before the agent says that it is ready", async () => {
    const stop = host.trouble.always("GET /ready", "away");
    const { operationId, until, end } = await create();
    const waiting = await until(
      ({ phase, steps }) => phase === "wait-ready" && steps?.[6]?.status === "running",
    );
    expect(waiting.serverId).toBeUndefined();
    expect(registry.live.has(await instanceOf(operationId))).toBe(false);
    stop();
    expect(await end()).toMatchObject({ status: "succeeded", serverId: expect.stringMatching(/^5\d{3}$/) });
  });
});

test("a VMID that is free here and taken at the host is reported and left alone", async () => {
  const next = Math.max(4999, ...registry.held()) + 1;
  const theirs = [next, next + 1].map((vmid) => host.putForeign(vmid));
  const { end } = await create();
  const operation = await end();
  expect(operation).toMatchObject({ status: "succeeded", serverId: String(next + 2) });
  for (const container of theirs) {
    expect(host.containers.get(container.vmid)).toBe(container);
    expect(container).toMatchObject({
      description: "do not touch",
      tags: [],
      status: "stopped",
      memoryMiB: 512,
    });
  }
  const findings = await query(
    (tx) => tx`
      select kind, subject, seen from finding where subject in ${tx(theirs.map(({ vmid }) => String(vmid)))}`,
  );
  expect(findings).toHaveLength(2);
  for (const finding of findings) expect(finding).toMatchObject({ kind: "foreign_container", seen: 1 });
  for (const { vmid } of theirs)
    expect(
      logged.filter((line) => line.includes(`"vmid":${vmid}`) && line.includes("not ours")),
    ).toHaveLength(1);
});

test("a VMID that a stranger takes between look and clone is left alone as well", async () => {
  const next = Math.max(4999, ...registry.held()) + 1;
  void host.trouble.next("POST /containers", () => void host.putForeign(next));
  const { end } = await create();
  expect(await end()).toMatchObject({ status: "succeeded", serverId: String(next + 1) });
  expect(host.containers.get(next)).toMatchObject({ description: "do not touch" });
});
