import type { z } from "zod";
import type { Accepted } from "#shared/agent/contract.ts";
import { AgentError, agentFault } from "#shared/agent/error.ts";
import type { ServerFacts } from "#shared/contract/authority.ts";
import type { Operation } from "#shared/contract/operation.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { emitChanged } from "../events.ts";
import * as power from "../power.ts";
import type { Deps } from "../service.ts";
import { type Desired, type InstanceRecord, lockInstance, setDesired } from "../store.ts";
import { errorOf } from "./power-progress.ts";

/** What of a call's time is left for what comes after the agent's answer, in milliseconds. */
const reserveMs = 1_000;

export type PowerRequest = {
  server: ServerFacts;
  /** Milliseconds since the epoch. */
  deadline: number;
  /** Refuses what a stopped host cannot do. Without it there is nothing to ask: on a stopped host no game runs. */
  hostStopped?: (() => never) | undefined;
};

/**
 * A customer's wish: written down with its operation in one transaction, then the agent is asked. Resolves with the
 * operation when the agent has agreed; the lock goes on with it. Rejects with the agent's own answer when it has not,
 * and then the wish is taken back. Once the operation is written, a database that goes away is no failure any more: the
 * job finds out what became of it.
 */
export async function requestPower(
  deps: Deps,
  action: power.PowerAction,
  { server, deadline, hostStopped }: PowerRequest,
): Promise<Operation> {
  const { agent, lock, instanceId } = server;
  if (!agent || !lock) throw new Error("a power route declares the agent and an exclusive action");
  const { clock, config, live } = deps;
  const startedBefore = live.get(instanceId)?.status?.started_at ?? null;
  const begunAt = clock.now();
  const job: power.PowerJob = { instanceId, ...lock, action, startedBefore };
  const timeoutMs = Math.max(1, Math.min(config.POWER_CALL_MS, deadline - begunAt - reserveMs));
  const opened = await open(deps, job, server, {
    runAt: begunAt + timeoutMs + reserveMs,
    deadline,
    hostStopped,
  });
  const { operation, before } = opened;
  if (operation.status !== "running") return operation;
  try {
    const answer = await deps.agent(agent, timeoutMs)[action]();
    return (await unlessAway(deps, () => agreed(deps, job, answer))) ?? operation;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const fault = agentFault(error);
    if (!(await unlessAway(deps, () => refused(deps, job, before, fault)))) return operation;
    throw fault;
  }
}

type Opened = { operation: Operation; before: Desired };

/** The wish and the operation; the latter has ended already where nothing can run. */
function open(
  { db, clock }: Deps,
  job: power.PowerJob,
  { customerId, vmid }: ServerFacts,
  { runAt, deadline, hostStopped }: Pick<PowerRequest, "deadline" | "hostStopped"> & { runAt: number },
): Promise<Opened> {
  return withTx(db, async (tx) => {
    const { desired: before, hostDesired } = await want(tx, job);
    const halted = hostDesired === "stopped";
    if (halted) hostStopped?.();
    // Who has been told that there was no answer asks again, or does not want it any more.
    if (clock.now() >= deadline) throw coreFault("service.timeout");
    await power.openPower(tx, { job, customerId, vmid, runAt });
    if (halted) await power.succeedPower(tx, job);
    return { before, operation: await power.powerOperation(tx, job) };
  });
}

function agreed({ db }: Deps, job: power.PowerJob, answer: z.output<typeof Accepted>) {
  return withTx(db, async (tx) => {
    if (power.wasDone(job.action, answer)) await power.succeedPower(tx, job);
    else {
      await power.acceptPower(tx, job);
      await enqueue(tx, { queue: power.powerQueue, key: job.operationId, payload: job });
    }
    return power.powerOperation(tx, job);
  });
}

function refused({ db }: Deps, job: power.PowerJob, before: Desired, fault: Fault): Promise<boolean> {
  return withTx(db, async (tx) => {
    await takeBack(tx, job, before);
    await power.failPower(tx, job, errorOf(fault));
    return true;
  });
}

/** Undefined while the database is away. */
async function unlessAway<T>({ log }: Deps, write: () => Promise<T>): Promise<T | undefined> {
  try {
    return await write();
  } catch (err) {
    if (!(err instanceof Fault) || !err.retryable) throw err;
    log.warn({ err }, "what the agent said could not be written; the job of the operation goes on with it");
    return undefined;
  }
}

/** Writes the wish; answers what was wanted before. */
async function want(tx: Tx, job: power.PowerJob): Promise<Pick<InstanceRecord, "desired" | "hostDesired">> {
  const to = power.desiredBy[job.action];
  const instance = await lockInstance(tx, job.instanceId);
  if (!instance) throw new Error("the server went away under its lock");
  if (instance.desired === to) return instance;
  const changed = await setDesired(tx, { ...job, from: instance.desired, to });
  if (!changed) throw new Error("the operation lock was lost before it was used");
  await emitChanged(tx, changed);
  return instance;
}

/** Undoes {@link want}, unless somebody else has decided since. */
async function takeBack(tx: Tx, job: power.PowerJob, before: Desired): Promise<void> {
  const from = power.desiredBy[job.action];
  if (from === before) return;
  const changed = await setDesired(tx, { ...job, from, to: before });
  if (changed) await emitChanged(tx, changed);
}
