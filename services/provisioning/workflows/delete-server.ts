import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { defineSaga, type Saga } from "#shared/saga/saga.ts";
import { deleteQuota } from "../store.ts";
import type { Deletion, DeletionStep } from "./deletion.ts";
import { lockedQueue, type Patience, type WorkflowDeps } from "./deps.ts";
import { checkStopped, destroyContainer } from "./steps/destroy.ts";
import { archiveInstance, deleteRow, releaseVmid, unpublishEdge, unregisterProxy } from "./steps/withdraw.ts";

export type DeleteServerSaga = Saga<WorkflowDeps, Deletion>;

/**
 * From a stopped server to a free number. Nothing that was destroyed is brought back: where it fails, the server stays
 * as it is then, and the next deletion goes through the same steps, each of which finds what is done already.
 */
export const deleteServerSaga = ({ giveUpAfterMs, shutdownMs }: Patience): DeleteServerSaga =>
  defineSaga<WorkflowDeps, Deletion>({
    type: "delete-server",
    queue: lockedQueue,
    steps: [
      ...[
        { ...checkStopped, giveUpAfterMs: giveUpAfterMs + shutdownMs },
        archiveInstance,
        unpublishEdge,
        unregisterProxy,
        { ...destroyContainer, giveUpAfterMs: giveUpAfterMs + shutdownMs },
      ].map((step: DeletionStep) => ({ giveUpAfterMs, ...step })),
      // With the container gone there is nothing to give up for.
      ...[deleteRow, releaseVmid].map((step) => ({ ...step, giveUpAfterMs: Infinity })),
    ],
    server: ({ vmid, instanceId }) => ({ serverId: String(vmid), instanceId }),
    result: ({ vmid, instanceId }) => ({ serverId: String(vmid), vmid, instanceId, deleted: true }),
    async onSettled(tx, { state, status }) {
      if (status === "succeeded") await deleteQuota(tx, state.instanceId);
    },
  });

/** Accepts a deletion: the work begins when the transaction has committed. */
export async function beginDeletion(
  tx: Tx,
  saga: DeleteServerSaga,
  operationId: string,
  state: Deletion,
): Promise<Operation> {
  await beginSaga(tx, saga, { operationId, customerId: state.customerId, state });
  const stored = await readOperation(tx, operationId);
  if (!stored) throw new Error(`operation ${operationId} was not stored`);
  return stored.operation;
}
