import type { OperationError } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { createOperation } from "./operation.ts";
import type { Saga } from "./saga.ts";
import { insertSaga, requestUnwinding } from "./store.ts";

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
  const known = { ...saga.server?.(state) };
  await createOperation(tx, {
    id: operationId,
    type: saga.type,
    customerId,
    serverId: o.serverId ?? known.serverId,
    instanceId: o.instanceId ?? known.instanceId,
    phase: "queued",
    message: "Waiting to start",
  });
  await insertSaga(tx, { operationId, type: saga.type, queue: saga.queue, state, steps: saga.steps });
  await enqueue(tx, { queue: saga.queue, key: operationId });
}

/**
 * Tells a saga to unwind instead of going on, and to fail with `error`. It obeys at the next boundary between steps, or
 * instead of the next try. False when there is no such saga, or it has ended or is unwinding already.
 */
export async function abandonSaga(tx: Tx, operationId: string, error: OperationError): Promise<boolean> {
  const queue = await requestUnwinding(tx, operationId, error);
  if (queue === undefined) return false;
  await enqueue(tx, { queue, key: operationId });
  return true;
}
