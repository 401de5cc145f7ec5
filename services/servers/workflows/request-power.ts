import type { z } from "zod";
import type { Accepted } from "#shared/agent/contract.ts";
import { AgentError, agentFault } from "#shared/agent/error.ts";
import type { ServerFacts } from "#shared/contract/authority.ts";
import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { emitChanged } from "../events.ts";
import * as power from "../power.ts";
import type { Deps } from "../service.ts";
import { type Desired, lockInstance, setDesired } from "../store.ts";
import { errorOf } from "./power-progress.ts";

/** What of a call's time is left for what comes after the agent's answer, in milliseconds. */
const reserveMs = 1_000;

/**
 * A customer's wish: written down with its operation in one transaction, then the agent is asked. Resolves with the
 * operation when the agent has agreed; the lock goes on with it. Rejects with the agent's own answer when it has not,
 * and then the wish is taken back.
 */
export async function requestPower(
  deps: Deps,
  action: power.PowerAction,
  server: ServerFacts,
  deadline: number,
): Promise<Operation> {
  const { agent, lock, instanceId } = server;
  if (!agent || !lock) throw new Error("a power route declares the agent and an exclusive action");
  const { db, clock, config, live } = deps;
  const startedBefore = live.get(instanceId)?.status?.started_at ?? null;
  const begunAt = clock.now();
  const job: power.PowerJob = { instanceId, ...lock, action, startedBefore, begunAt };
  const timeoutMs = Math.max(1, Math.min(config.POWER_CALL_MS, deadline - begunAt - reserveMs));
  const runAt = begunAt + timeoutMs + reserveMs;
  const before = await withTx(db, async (tx) => {
    const { customerId, vmid } = server;
    const wanted = await want(tx, job);
    await power.openPower(tx, { job, customerId, vmid, runAt });
    return wanted;
  });
  let answer: z.output<typeof Accepted>;
  try {
    answer = await deps.agent(agent, timeoutMs)[action]();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const fault = agentFault(error);
    await withTx(db, async (tx) => {
      await takeBack(tx, job, before);
      await power.failPower(tx, job, errorOf(fault));
    });
    throw fault;
  }
  return withTx(db, async (tx) => {
    if (power.wasDone(action, answer)) await power.succeedPower(tx, job);
    else {
      await power.acceptPower(tx, job, clock.now());
      await enqueue(tx, { queue: power.powerQueue, key: job.operationId, payload: job });
    }
    return power.powerOperation(tx, job);
  });
}

/** Writes the wish; answers what was wanted before. */
async function want(tx: Tx, job: power.PowerJob): Promise<Desired> {
  const to = power.desiredBy[job.action];
  const instance = await lockInstance(tx, job.instanceId);
  if (!instance) throw new Error("the server went away under its lock");
  if (instance.desired === to) return to;
  const changed = await setDesired(tx, { ...job, from: instance.desired, to });
  if (!changed) throw new Error("the operation lock was lost before it was used");
  await emitChanged(tx, changed);
  return instance.desired;
}

/** Undoes {@link want}, unless somebody else has decided since. */
async function takeBack(tx: Tx, job: power.PowerJob, before: Desired): Promise<void> {
  const from = power.desiredBy[job.action];
  if (from === before) return;
  const changed = await setDesired(tx, { ...job, from, to: before });
  if (changed) await emitChanged(tx, changed);
}
