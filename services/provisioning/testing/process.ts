import { join } from "node:path";
import { gateway } from "#gateway/auth/contract.ts";
import { billing } from "#services/billing/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { client } from "#shared/bus/client.ts";
import { serve } from "#shared/bus/serve.ts";
import { implement } from "#shared/contract/implement.ts";
import type { Operation } from "#shared/contract/operation.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { hostForTest } from "../adapters/testing/local-host.ts";
import { provisioning } from "../contract.ts";
import { account, migrations } from "./provisioning.ts";
import { registryForTest, type TestRegistry } from "./registry.ts";

const { reserve, release, activate, archive, mergePayload, findInstance, ...others } = servers.routes;
const { authorize, unlock, heartbeat, setHostDesired, setAddress } = others;
const creation = { reserve, release, activate, archive, mergePayload, findInstance };
const routes = { ...creation, authorize, unlock, heartbeat, setHostDesired, setAddress };
const registryService = implement({ ...servers, routes })(({ servers: of, authority }: TestRegistry) => ({
  reserve: ({ input }) => of.reserve(input),
  release: ({ input }) => of.release(input),
  activate: ({ input }) => of.activate(input),
  archive: ({ input }) => of.archive(input),
  mergePayload: ({ input }) => of.mergePayload(input),
  findInstance: ({ input }) => of.findInstance(input),
  authorize: ({ input: { operationId, ...ask }, ctx }) =>
    authority.authorize({ ...ask, operationId, agent: false }, ctx),
  unlock: ({ input }) => of.unlock(input),
  heartbeat: ({ input }) => of.heartbeat(input),
  setHostDesired: ({ input }) => of.setHostDesired(input),
  setAddress: ({ input }) => of.setAddress(input),
}));

/** The service as a process of its own, on a real bus and a real database, between stand-ins for everybody else. */
export async function processForTest() {
  const folders = [mechanismMigrations, { name: "provisioning", dir: migrations }];
  const pg = await postgresForTest({ schema: "provisioning", folders });
  const mesh = await meshForTest([gateway, servers, provisioning, billing]);
  const host = hostForTest();
  const registry = registryForTest();
  const served = await serve(await mesh.bus("servers"), registryService(registry), { log: silentLogger });
  const api = client(await mesh.bus("gateway"), provisioning);
  const children = new Set<Bun.Subprocess>();
  return {
    pg,
    mesh,
    host,
    registry,
    api,
    /** Starts the service; resolves when it serves. What stood still for the one before is answered now. */
    start: async () => {
      for (const { trouble } of [host, registry]) trouble.resume();
      const serving = Promise.withResolvers<void>();
      const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "main.ts")], {
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
          // What stands still must not be tried again before the process is killed.
          PROVISIONING_HOST_TIMEOUT_MS: "30000",
          PROVISIONING_AGENT_TIMEOUT_MS: "30000",
          PROVISIONING_LEASE_MS: "2000",
          PROVISIONING_SWEEP_MS: "50",
        },
        stdio: ["ignore", "inherit", "inherit"],
        ipc: () => serving.resolve(),
      });
      children.add(child);
      await Promise.race([serving.promise, child.exited]);
      if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}`);
      return child;
    },
    /** An operation, once it has ended. */
    ended: async (operationId: string): Promise<Operation> => {
      for (;;) {
        const operation = await api.getOperation({ operationId }, { actor: account("op", "operator") });
        if (operation.finishedAt) return operation;
        await systemClock.sleep(10);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      registry.trouble.letGo();
      await served.stop();
      await mesh[Symbol.asyncDispose]();
      await host.stop();
      await pg[Symbol.asyncDispose]();
    },
  };
}
