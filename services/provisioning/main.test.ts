import { afterAll, expect, test } from "bun:test";
import { billing } from "#services/billing/contract.ts";
import { publisher } from "#shared/bus/publisher.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { systemClock } from "#shared/process/clock.ts";
import { localDriver } from "./adapters/local.ts";
import { processForTest } from "./testing/process.ts";
import { account, freeAccount } from "./testing/provisioning.ts";
import { serverOutside } from "./testing/server.ts";

// The service as its own process, killed without warning.

const world = await processForTest();
afterAll(() => world[Symbol.asyncDispose]());
const { pg, mesh, host, registry, api, start, ended } = world;

/** An account that the service has heard of, through the bus. */
async function knownAccount() {
  const actor = account(newId("acc"));
  if (actor.kind !== "account") throw new Error("not an account");
  const state = freeAccount(actor.id);
  const id = newId("evt");
  const event = { id, key: actor.id, version: 1, at: state.since, data: state };
  const subject = `${billing.events.accountChanged.subject}.${actor.id}`;
  await publisher(await mesh.bus("billing")).publish(subject, id, JSON.stringify(event));
  const heard = () => withTx(pg.db, (tx) => tx`select 1 from account where account_id = ${actor.id}`);
  while ((await heard()).length === 0) await systemClock.sleep(5);
  return actor;
}

/** Plans that a creation stands still in one step, after its effect; resolves when it does. */
const doing: Record<string, () => Promise<void>> = {
  "allocate-vmid": () => registry.trouble.next("reserve", "stuck"),
  "clone-container": () => host.trouble.next("POST /containers", "stuck"),
  "configure-container": () => host.trouble.next("PUT /containers/:vmid", "stuck"),
  "start-container": () => host.trouble.next("POST /containers/:vmid/start", "stuck"),
  "wait-for-ip": () =>
    new Promise((met) => {
      void host.trouble.next("POST /containers/:vmid/start", () => {
        void host.trouble.next("GET /containers/:vmid", "stuck").then(met);
      });
    }),
  "send-agent-config": () => host.trouble.next("POST /config", "stuck"),
  "wait-ready": () => host.trouble.next("GET /ready", "stuck"),
  "persist-instance": () => registry.trouble.next("activate", "stuck"),
  "publish-edge": () => registry.trouble.next("mergePayload", "stuck"),
  confirm: () => registry.trouble.next("findInstance", "stuck"),
};

/** The same while a creation that failed in its last step is undone. */
const undoing: Record<string, () => Promise<void>> = Object.fromEntries(
  (
    [
      ["publish-edge", () => registry.trouble.next("mergePayload", "stuck")],
      ["persist-instance", () => registry.trouble.next("archive", "stuck")],
      ["start-container", () => host.trouble.next("POST /containers/:vmid/stop", "stuck")],
      ["clone-container", () => host.trouble.next("DELETE /containers/:vmid", "stuck")],
      ["allocate-vmid", () => registry.trouble.next("release", "stuck")],
    ] as const
  ).map(([step, hold]) => [
    `undo:${step}`,
    () =>
      new Promise<void>((met) => {
        void registry.trouble.next("findInstance", () => {
          void hold().then(met);
          return "fails";
        });
      }),
  ]),
);

test("killed in the middle of every step and every undo, it goes on where it was: one container or none", async () => {
  const counts = () => [host.containers.size, registry.live.size, registry.held().length];
  const before = counts();
  const killed = await start();
  const begun: { phase: string; operationId: string }[] = [];
  for (const [phase, hold] of Object.entries({ ...doing, ...undoing })) {
    const actor = await knownAccount();
    const standing = hold();
    const { operationId } = await api.createServer({ ctype: "game", name: phase, memoryMiB: 256 }, { actor });
    await standing;
    const operation = await api.getOperation({ operationId }, { actor });
    expect(operation).toMatchObject({ status: "running", phase });
    begun.push({ phase, operationId });
  }
  killed.kill("SIGKILL");
  await killed.exited;

  const successor = await start();
  for (const { phase, operationId } of begun) {
    const status = phase.startsWith("undo") ? "failed" : "succeeded";
    expect(await ended(operationId)).toMatchObject({ status });
    const made = [...host.containers.values()].filter((c) => c.description.endsWith(operationId));
    expect({ phase, containers: made.length }).toEqual({ phase, containers: status === "failed" ? 0 : 1 });
  }
  const count = Object.keys(doing).length;
  expect(counts()).toEqual(before.map((some) => some + count));
  const quota = await withTx(pg.db, (tx) => tx`select 1 from quota`);
  expect(quota).toHaveLength(count);

  successor.kill("SIGTERM");
  expect(await successor.exited).toBe(0);
}, 30_000);

type HostRoute = "startHost" | "stopHost" | "restartHost";
const START = "POST /containers/:vmid/start";
const STOP = "POST /containers/:vmid/stop";

/** The same for host power: each step of each action, by what it asks of whom. */
const power: [HostRoute, string, () => Promise<void>][] = [
  ["startHost", "hold-lock", () => registry.trouble.next("heartbeat", "stuck")],
  ["startHost", "write-wish", () => registry.trouble.next("setHostDesired", "stuck")],
  ["startHost", "start-container", () => host.trouble.next(START, "stuck")],
  ["startHost", "wait-agent", () => host.trouble.next("GET /health", "stuck")],
  ["startHost", "note-address", () => registry.trouble.next("setAddress", "stuck")],
  ["startHost", "release-lock", () => registry.trouble.next("unlock", "stuck")],
  ["stopHost", "stop-container", () => host.trouble.next(STOP, "stuck")],
  ["stopHost", "release-lock", () => registry.trouble.next("unlock", "stuck")],
  ["restartHost", "stop-container", () => host.trouble.next(STOP, "stuck")],
  ["restartHost", "start-container", () => host.trouble.next(START, "stuck")],
];

test("killed in the middle of host power, it goes on: the container is where it was wanted, and its lock is free", async () => {
  const driver = localDriver({ ...host, timeoutMs: 5_000, slowTimeoutMs: 5_000 });
  const killed = await start();
  const begun: { route: HostRoute; phase: string; operationId: string; instanceId: string; vmid: number }[] =
    [];
  for (const [route, phase, hold] of power) {
    const made = { driver, installation: "test1" };
    const actor = account(newId("acc"));
    const customerId = actor.kind === "account" ? actor.id : "";
    const server = await serverOutside(made, registry, { customerId, running: route !== "startHost" });
    const standing = hold();
    const { operation } = await api[route]({ id: String(server.vmid) }, { actor });
    await standing;
    const { id: operationId } = operation;
    expect(await api.getOperation({ operationId }, { actor })).toMatchObject({ status: "running", phase });
    begun.push({ route, phase, operationId, instanceId: server.instanceId, vmid: server.vmid });
  }
  killed.kill("SIGKILL");
  await killed.exited;

  const successor = await start();
  for (const { route, phase, operationId, instanceId, vmid } of begun) {
    expect(await ended(operationId), `${route} ${phase}`).toMatchObject({ status: "succeeded" });
    const wanted = route === "stopHost" ? "stopped" : "running";
    expect({ route, phase, status: host.containers.get(vmid)?.status }).toEqual({
      route,
      phase,
      status: wanted,
    });
    expect(registry.live.get(instanceId)?.hostDesired).toBe(wanted);
    expect(registry.locks.has(instanceId)).toBe(false);
  }
  successor.kill("SIGTERM");
  expect(await successor.exited).toBe(0);
}, 30_000);
