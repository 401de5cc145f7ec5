import { z } from "zod";
import type { Accepted } from "#shared/agent/contract.ts";
import type { Operation, OperationError } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { isDown } from "./axes.ts";
import { createOperation, readOperation, updateOperation } from "#shared/saga/operation.ts";
import { beatLock, type Desired, releaseLock } from "./store.ts";

/** Queue of the operations that are under way; a job's key is the operation's id. */
export const powerQueue = "power";

/** What a job of the queue carries; everything else is read anew in each run. */
export const PowerJob = z.object({
  action: z.enum(["start", "stop", "restart"]),
  /** The lock that the operation holds. */
  instanceId: z.string(),
  operationId: z.string(),
  fence: z.int(),
  /** By the agent's clock, when the game that a restart is to end was started. */
  startedBefore: z.string().nullable(),
});
export type PowerJob = z.infer<typeof PowerJob>;
export type PowerAction = PowerJob["action"];

export const desiredBy: Record<PowerAction, Desired> = {
  start: "running",
  stop: "stopped",
  restart: "running",
};

/** `requested`: the agent may or may not have been asked yet; `accepted`: it has agreed. */
const sentences = {
  start: { requested: "Asking the agent to start the game", accepted: "The game is starting" },
  stop: { requested: "Asking the agent to stop the game", accepted: "The game is stopping" },
  restart: { requested: "Asking the agent to restart the game", accepted: "The game is restarting" },
} as const;
const done = { start: "The game runs", stop: "The game is stopped", restart: "The game runs again" } as const;

/**
 * The rows of a new power operation: the operation, the lock's words, and the job that brings it to its end whatever
 * becomes of this process. The job begins at `runAt` (milliseconds): until then the caller asks the agent himself.
 * Rejects when the lock is not held any more.
 */
export async function openPower(
  tx: Tx,
  o: { job: PowerJob; customerId: string; vmid: number; runAt: number; message?: string },
): Promise<void> {
  const { job } = o;
  const type = `power.${job.action}`;
  const words = { phase: "requested", message: o.message ?? sentences[job.action].requested };
  await createOperation(tx, {
    id: job.operationId,
    type,
    customerId: o.customerId,
    instanceId: job.instanceId,
    serverId: String(o.vmid),
    status: "running",
    ...words,
  });
  // Its process may have been paused since it took the lock.
  const held = await beatLock(tx, { ...job, type, ...words });
  if (!held) throw new Error("the operation lock was lost before it was used");
  await enqueue(tx, {
    queue: powerQueue,
    key: job.operationId,
    payload: job,
    runAt: new Date(o.runAt),
  });
}

/** The agent has agreed: from here on the job watches. False when the lock is lost. */
export async function acceptPower(tx: Tx, job: PowerJob): Promise<boolean> {
  const words = { phase: "accepted", message: sentences[job.action].accepted };
  await updateOperation(tx, job.operationId, words);
  return beatLock(tx, { ...job, type: `power.${job.action}`, ...words });
}

/** Phase of an operation whose game was seen starting. */
export const begunPhase = "starting";

/** The game was seen starting: when it is idle again, it has stopped. False when the lock is lost. */
export async function beginPower(tx: Tx, job: PowerJob): Promise<boolean> {
  const words = { phase: begunPhase, message: sentences[job.action].accepted };
  await updateOperation(tx, job.operationId, words);
  return beatLock(tx, { ...job, type: `power.${job.action}`, ...words });
}

/** The end that was wanted. The lock is given back in the same transaction. */
export async function succeedPower(tx: Tx, job: PowerJob): Promise<void> {
  const words = { phase: "done", message: done[job.action] };
  await updateOperation(tx, job.operationId, { status: "succeeded", ...words, result: {} });
  await releaseLock(tx, job);
}

/** Another end. `error.message` is the sentence that the customer reads. */
export async function failPower(tx: Tx, job: PowerJob, error: OperationError): Promise<void> {
  const words = { phase: "failed", message: error.message };
  await updateOperation(tx, job.operationId, { status: "failed", ...words, error });
  await releaseLock(tx, job);
}

/** The operation of a job, as clients see it. */
export async function powerOperation(tx: Tx, { operationId }: PowerJob): Promise<Operation> {
  const found = await readOperation(tx, operationId);
  if (!found) throw new Error(`the operation ${operationId} is gone`);
  return found.operation;
}

/** Whether the agent's answer says that there was nothing to do. */
export function wasDone(action: PowerAction, { state, operation }: z.output<typeof Accepted>): boolean {
  if (operation || state === undefined) return false;
  return (action === "start" && state === "running") || (action === "stop" && isDown(state));
}
