import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { gateway } from "#gateway/auth/contract.ts";
import { billing } from "#services/billing/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { client } from "#shared/bus/client.ts";
import { publisher } from "#shared/bus/publisher.ts";
import { serve } from "#shared/bus/serve.ts";
import { implement } from "#shared/contract/implement.ts";
import type { Operation } from "#shared/contract/operation.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { hostForTest } from "./adapters/testing/local-host.ts";
import { provisioning } from "./contract.ts";
import { registryForTest } from "./testing/registry.ts";
import { account, freeAccount, migrations } from "./testing/provisioning.ts";

// The service as its own process, on a real bus and a real database, killed without warning.

const folders = [mechanismMigrations, { name: "provisioning", dir: migrations }];
const pg = await postgresForTest({ schema: "provisioning", folders });
const mesh = await meshForTest([gateway, servers, provisioning, billing]);
const host = hostForTest();
const registry = registryForTest();

const { reserve, release, activate, archive, mergePayload, findInstance } = servers.routes;
const routes = { reserve, release, activate, archive, mergePayload, findInstance };
const registryService = implement({ ...servers, routes })((of: typeof registry.servers) => ({
  reserve: ({ input }) => of.reserve(input),
  release: ({ input }) => of.release(input),
  activate: ({ input }) => of.activate(input),
  archive: ({ input }) => of.archive(input),
  mergePayload: ({ input }) => of.mergePayload(input),
  findInstance: ({ input }) => of.findInstance(input),
}));
const served = await serve(await mesh.bus("servers"), registryService(registry.servers), {
  log: silentLogger,
});
const api = client(await mesh.bus("gateway"), provisioning);

afterAll(async () => {
  registry.trouble.letGo();
  await served.stop();
  await mesh[Symbol.asyncDispose]();
  await host.stop();
  await pg[Symbol.asyncDispose]();
});

/** Starts the service; resolves when it serves. */
async function start() {
  const serving = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
    env: {
      NATS_URL: mesh.server.url,
      NATS_USER: "provisioning",
      NATS_PASSWORD: "provisioning-password",
      DATABASE_URL: pg.url,
      LOG_LEVEL: "fatal",
      ZPACK_INSTALLATION: "test1",
      LOCAL_HOST_URL: host.url,
      LOCAL_HOST_TOKEN: host.token,
      PROVISIONING_CONCURRENCY: "40",
      PROVISIONING_CLONES_PER_STORAGE: "40",
      PROVISIONING_POLL_MS: "5",
      PROVISIONING_RETRY_MS: "5",
      PROVISIONING_LEASE_MS: "600",
      PROVISIONING_SWEEP_MS: "50",
    },
    stdio: ["ignore", "inherit", "inherit"],
    ipc: () => serving.resolve(),
  });
  await Promise.race([serving.promise, child.exited]);
  expect(child.exitCode).toBeNull();
  return child;
}

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

async function ended(operationId: string): Promise<Operation> {
  for (;;) {
    const operation = await api.getOperation({ operationId }, { actor: account("op", "operator") });
    if (operation.finishedAt) return operation;
    await systemClock.sleep(10);
  }
}

/** Plans that a creation stands still in one step, after its effect; resolves when it does. */
const doing: Record<string, () => Promise<void>> = {
  "allocate-vmid": () => registry.trouble.next("reserve", "held"),
  "clone-container": () => host.trouble.next("POST /containers", "held"),
  "configure-container": () => host.trouble.next("PUT /containers/:vmid", "held"),
  "start-container": () => host.trouble.next("POST /containers/:vmid/start", "held"),
  "wait-for-ip": () =>
    new Promise((met) => {
      void host.trouble.next("POST /containers/:vmid/start", () => {
        void host.trouble.next("GET /containers/:vmid", "held").then(met);
      });
    }),
  "send-agent-config": () => host.trouble.next("POST /config", "held"),
  "wait-ready": () => host.trouble.next("GET /ready", "held"),
  "persist-instance": () => registry.trouble.next("activate", "held"),
  "publish-edge": () => registry.trouble.next("mergePayload", "held"),
  confirm: () => registry.trouble.next("findInstance", "held"),
};

/** The same while a creation that failed in its last step is undone. */
const undoing: Record<string, () => Promise<void>> = Object.fromEntries(
  (
    [
      ["publish-edge", () => registry.trouble.next("mergePayload", "held")],
      ["persist-instance", () => registry.trouble.next("archive", "held")],
      ["start-container", () => host.trouble.next("POST /containers/:vmid/stop", "held")],
      ["clone-container", () => host.trouble.next("DELETE /containers/:vmid", "held")],
      ["allocate-vmid", () => registry.trouble.next("release", "held")],
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
  const killed = await start();
  const begun: { phase: string; operationId: string }[] = [];
  for (const [phase, hold] of Object.entries({ ...doing, ...undoing })) {
    const actor = await knownAccount();
    const standing = hold();
    const { operationId } = await api.createServer({ name: phase, memoryMiB: 256 }, { actor });
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
  expect(host.containers.size).toBe(count);
  expect(registry.live.size).toBe(count);
  expect(registry.held()).toHaveLength(count);
  const quota = await withTx(pg.db, (tx) => tx`select 1 from quota`);
  expect(quota).toHaveLength(count);

  successor.kill("SIGTERM");
  expect(await successor.exited).toBe(0);
}, 30_000);
