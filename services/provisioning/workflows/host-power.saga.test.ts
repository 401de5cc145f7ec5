import { afterAll } from "bun:test";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { sagaContract, type SagaWorld } from "#shared/testing/saga.ts";
import { provisioningForTest } from "../testing/provisioning.ts";
import { outsideWorld } from "../testing/saga-world.ts";
import { serverOutside } from "../testing/server.ts";
import type { WorkflowDeps } from "./deps.ts";
import { beginHostPower, type HostPowerSaga } from "./host-power.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { startHost, stopHost, restartHost } = provisioning.deps.sagas;

/** A server that runs, unless it is to be started, and its lock taken anew for every request. */
async function setup(saga: HostPowerSaga): Promise<SagaWorld<WorkflowDeps>> {
  const { host, registry, deps, outside } = outsideWorld(provisioning);
  const facts = await serverOutside(deps, registry, {
    instanceId: newInstanceId(),
    running: saga !== startHost,
  });
  return {
    db: deps.db,
    deps,
    async start() {
      const operationId = newId("prv");
      const lock = registry.lock(facts.instanceId, operationId);
      await provisioning.query((tx) => beginHostPower(tx, saga, { ...facts, lock }, new AbortController()));
      return operationId;
    },
    world: async () => outside(),
    dispose: () => host.stop(),
  };
}

for (const saga of [startHost, stopHost, restartHost])
  sagaContract(saga.type, saga, { setup: () => setup(saga), reversible: false });
