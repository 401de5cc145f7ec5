import { newId, newInstanceId } from "#shared/ids/ids.ts";
import type { SagaWorld } from "#shared/testing/saga.ts";
import { hostForTest } from "../adapters/testing/local-host.ts";
import type { Engine } from "../catalog.ts";
import { partsOf } from "../parts.ts";
import { reserveQuota } from "../quota.ts";
import { saveAccount } from "../store.ts";
import { workflowDeps } from "../worker.ts";
import { beginCreation, type CreationSaga } from "../workflows/creation.ts";
import type { WorkflowDeps } from "../workflows/deps.ts";
import { freeAccount, quick, type TestProvisioning } from "./provisioning.ts";
import { registryForTest } from "./registry.ts";

/** A host and a registry of its own over the database that a file's tests share. */
export function outsideWorld(provisioning: TestProvisioning) {
  const host = hostForTest();
  const registry = registryForTest();
  const settings = quick(host);
  const parts = partsOf({ ...provisioning.deps, servers: registry.servers }, settings);
  return {
    host,
    registry,
    deps: workflowDeps({ ...parts, settings }),
    /** What there is at both, without chance ids and times. */
    outside: () => ({
      containers: [...host.containers.values()].map(({ vmid, hostname, status, agent, tags }) => {
        return { vmid, hostname, status, tags: tags.length, agent: agent.state };
      }),
      reserved: registry.held(),
      locks: registry.locks.size,
      servers: [...registry.live.values()].map(({ vmid, hostname, payload, hostDesired }) => {
        return { vmid, hostname, hostDesired, payload: Object.keys(payload) };
      }),
    }),
  };
}

/** The world of one creation; what is in the database is told for its account and operation alone. */
export async function creationWorld(
  provisioning: TestProvisioning,
  saga: CreationSaga,
  engine: Engine,
): Promise<SagaWorld<WorkflowDeps>> {
  const { host, deps, outside } = outsideWorld(provisioning);
  const operationId = newId("prv");
  const accountId = newId("acc");
  const order = { accountId, instanceId: newInstanceId(), name: "My World", memoryMiB: 512, engine };
  const { query } = provisioning;
  return {
    db: deps.db,
    deps,
    async start() {
      await query(async (tx) => {
        await saveAccount(tx, freeAccount(accountId));
        await reserveQuota(tx, freeAccount(accountId), order);
        await beginCreation(tx, saga, operationId, order);
      });
      return operationId;
    },
    world: async () => ({
      ...outside(),
      quota: await query((tx) => tx`select memory_mib from quota where account_id = ${accountId}`.values()),
      slots: await query((tx) =>
        tx`select storage from clone_slot where operation_id = ${operationId}`.values(),
      ),
      tokens: await query((tx) => tx`select 1 from agent_token where operation_id = ${operationId}`.values()),
    }),
    dispose: () => host.stop(),
  };
}
