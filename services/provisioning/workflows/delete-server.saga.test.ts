import { afterAll } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { type SagaWorld, sagaContract } from "#shared/testing/saga.ts";
import { plantServer } from "../testing/deletion.ts";
import { provisioningForTest } from "../testing/provisioning.ts";
import { outsideWorld } from "../testing/saga-world.ts";
import { beginDeletion } from "./delete-server.ts";
import type { WorkflowDeps } from "./deps.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { query, newAccount } = provisioning;
const { deleteServer } = provisioning.deps.sagas;

const setup = (running: boolean) => async (): Promise<SagaWorld<WorkflowDeps>> => {
  const { host, registry, deps, outside } = outsideWorld(provisioning);
  const world = { ...provisioning, deps: { ...provisioning.deps, ...deps }, host, registry, newAccount };
  const { actor, instanceId, vmid } = await plantServer(world, { running });
  return {
    db: deps.db,
    deps,
    async start() {
      const operationId = newId("prv");
      const { fence } = registry.lock(instanceId, operationId);
      const facts = { customerId: actor.id, ctype: "game" as const, name: "n", hostname: "h", node: "local" };
      const state = { ...facts, instanceId, vmid, fence, type: "server.delete", force: running };
      await query((tx) => beginDeletion(tx, deleteServer, operationId, state));
      return operationId;
    },
    world: async () => ({
      ...outside(),
      archived: [...registry.archived.values()].map(({ vmid: number, hostname }) => ({ number, hostname })),
      quota: await query((tx) => tx`select memory_mib from quota where account_id = ${actor.id}`.values()),
    }),
    dispose: () => host.stop(),
  };
};

// What is destroyed cannot be brought back: a deletion that failed is asked for again.
sagaContract("delete a server", deleteServer, { setup: setup(false), reversible: false });
sagaContract("delete a running server by force", deleteServer, { setup: setup(true), reversible: false });
