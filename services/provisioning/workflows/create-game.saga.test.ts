import { afterAll } from "bun:test";
import { systemClock } from "#shared/process/clock.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { type SagaWorld, sagaContract } from "#shared/testing/saga.ts";
import { localDriver } from "../adapters/local.ts";
import { reserveQuota } from "../quota.ts";
import { saveAccount } from "../store.ts";
import { hostForTest } from "../adapters/testing/local-host.ts";
import { registryForTest } from "../testing/registry.ts";
import { freeAccount, provisioningForTest, quick } from "../testing/provisioning.ts";
import { creationDeps } from "../worker.ts";
import { beginCreation } from "./create-game.ts";
import type { CreationDeps } from "./creation.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { db, createGame } = provisioning.deps;

/** Its own host, registry and account; the database is shared, so the world is what concerns this account. */
async function setup(): Promise<SagaWorld<CreationDeps>> {
  const host = hostForTest();
  const { servers, held, live } = registryForTest();
  const settings = quick(host);
  const driver = localDriver({ ...host, timeoutMs: 5_000, slowTimeoutMs: 5_000 });
  const operationId = newId("prv");
  const accountId = newId("acc");
  const order = { accountId, instanceId: newInstanceId(), name: "My World", memoryMiB: 512 };
  const engine = { game: "minecraft", variant: "flying-squid", version: "1.16.5" };
  return {
    db,
    deps: creationDeps({ db, clock: systemClock, driver, servers, settings }),
    async start() {
      await provisioning.query(async (tx) => {
        await saveAccount(tx, freeAccount(accountId));
        await reserveQuota(tx, freeAccount(accountId), order);
        await beginCreation(tx, createGame, operationId, { ...order, ...engine });
      });
      return operationId;
    },
    world: async () => ({
      containers: [...host.containers.values()].map(({ vmid, hostname, status, agent, tags }) => {
        return { vmid, hostname, status, tags: tags.length, agent: agent.state };
      }),
      reserved: held(),
      servers: [...live.values()].map(({ vmid, hostname, payload }) => {
        return { vmid, hostname, payload: Object.keys(payload) };
      }),
      quota: await provisioning.query((tx) =>
        tx`select memory_mib from quota where account_id = ${accountId}`.values(),
      ),
      slots: await provisioning.query((tx) =>
        tx`select storage from clone_slot where operation_id = ${operationId}`.values(),
      ),
      tokens: await provisioning.query((tx) =>
        tx`select 1 from agent_token where operation_id = ${operationId}`.values(),
      ),
    }),
    dispose: async () => host.stop(),
  };
}

sagaContract("create a game server", createGame, { setup });
