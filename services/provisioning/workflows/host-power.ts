import type { ServerFacts } from "#shared/contract/authority.ts";
import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { coreFault } from "#shared/fault/core.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { defineSaga, type Saga } from "#shared/saga/saga.ts";
import { lockedQueue, type Patience, type WorkflowDeps } from "./deps.ts";
import {
  awaitAgent,
  type HostPower,
  noteAddress,
  startServer,
  stopServer,
  wishRunning,
  wishStopped,
} from "./steps/host-power.ts";
import { holdLock, releaseLock } from "./steps/lock.ts";

export type PowerAction = "start" | "stop" | "restart";
export type HostPowerSaga = Saga<WorkflowDeps, HostPower>;

/**
 * Container power of one server, under its operation lock from the acceptance to the end. What was wished for is
 * written before anything is done, and stays when it fails: it is what the customer wants. Nothing is undone for the
 * same reason; asked for again, the same work goes on from what is there.
 */
export function hostPowerSaga(action: PowerAction, patience: Patience): HostPowerSaga {
  const { giveUpAfterMs, addressMs, shutdownMs } = patience;
  const stop = { ...stopServer, giveUpAfterMs: giveUpAfterMs + shutdownMs };
  const start = [startServer, { ...awaitAgent, giveUpAfterMs: giveUpAfterMs + addressMs }, noteAddress];
  const steps = {
    start: [wishRunning, ...start],
    stop: [wishStopped, stop],
    restart: [wishRunning, stop, ...start],
  };
  return defineSaga<WorkflowDeps, HostPower>({
    type: `host.${action}`,
    queue: lockedQueue,
    steps: [holdLock, ...steps[action], releaseLock].map((step) => ({ giveUpAfterMs, ...step })),
    result: ({ vmid, address }) => ({
      vmid,
      host: action === "stop" ? "stopped" : "running",
      ...(address ? { ip: address.ip } : {}),
    }),
  });
}

/**
 * Accepts the work under the lock that was taken for it: it begins when the transaction has committed. Rejects with
 * `service.timeout` when `signal` has aborted: who was told that there is no answer will ask again.
 */
export async function beginHostPower(
  tx: Tx,
  saga: HostPowerSaga,
  server: ServerFacts,
  { signal }: { signal: AbortSignal },
): Promise<Operation> {
  const { lock, instanceId, vmid, ctype, customerId } = server;
  if (!lock) throw new Error("host power needs the operation lock");
  if (signal.aborted) throw coreFault("service.timeout");
  const { operationId, fence } = lock;
  const state: HostPower = { instanceId, vmid, ctype, fence, type: saga.type };
  await beginSaga(tx, saga, { operationId, customerId, instanceId, serverId: String(vmid), state });
  const stored = await readOperation(tx, operationId);
  if (!stored) throw new Error(`operation ${operationId} was not stored`);
  return stored.operation;
}
