import type { Tx } from "#shared/db/connect.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { createOperation } from "./operation.ts";
import type { Saga } from "./saga.ts";
import { insertSaga } from "./store.ts";

export type SagaStart<S> = {
  operationId: string;
  customerId: string;
  /** Whatever JSON holds; logged after every step. */
  state: S;
  serverId?: string | undefined;
  instanceId?: string | undefined;
};

/** Accepts the work: operation, log and job are written in the caller's transaction, and run when it has committed. */
export async function beginSaga<D, S extends object>(
  tx: Tx,
  saga: Saga<D, S>,
  o: SagaStart<S>,
): Promise<void> {
  const { operationId, customerId, state } = o;
  const known = saga.server?.(state);
  await createOperation(tx, {
    id: operationId,
    type: saga.type,
    customerId,
    serverId: o.serverId ?? known?.serverId,
    instanceId: o.instanceId ?? known?.instanceId,
    phase: "queued",
    message: "Waiting to start",
  });
  await insertSaga(tx, { operationId, type: saga.type, state, steps: saga.steps });
  await enqueue(tx, { queue: saga.queue, key: operationId });
}
