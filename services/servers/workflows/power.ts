import { AgentError, agentFault } from "#shared/agent/error.ts";
import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { Run } from "#shared/queue/fence.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { isSuspended } from "../axes.ts";
import { lockLife } from "../moment.ts";
import * as power from "../power.ts";
import type { Observation } from "../live/observation.ts";
import type { Deps } from "../service.ts";
import { agesOf, beatLock, readServer, readTargets, type ServerRecord, type Target } from "../store.ts";
import { ends, errorOf, judge, type Progress, waiting } from "./power-progress.ts";

type Read = {
  operation: Operation;
  server: ServerRecord | undefined;
  target: Target | undefined;
  held: boolean;
  /** Milliseconds since the operation was accepted, and since it last moved on. */
  ageMs: number;
  quietMs: number;
};

/**
 * Brings one power operation to its end, from what is observed: one look per run, until the game is where it should be
 * or the time is up. It asks the agent itself when nobody has: an operation whose process was killed goes on here.
 */
export const settlePower =
  (deps: Deps) =>
  async (run: Run): Promise<void | { again: number }> => {
    const job = power.PowerJob.parse(run.job.payload);
    const read = await run.fenced((tx) => readAndBeat(deps, tx, job));
    if (read?.operation.status !== "running") return undefined;
    const progress = await look(deps, job, read);
    await run.fenced(async (tx) => {
      if (progress.end === "succeeded") await power.succeedPower(tx, job);
      if (progress.end === "failed") await power.failPower(tx, job, progress.error);
      if (progress.end === "accepted") await power.acceptPower(tx, job);
      if (progress.end === "begun") await power.beginPower(tx, job);
    });
    if (progress.end !== "succeeded" && progress.end !== "failed")
      return { again: deps.config.POWER_POLL_MS };
    // What should run may have changed meanwhile, and nothing was done about it under the lock.
    deps.reconcile(job.instanceId);
    return undefined;
  };

async function readAndBeat(deps: Deps, tx: Tx, job: power.PowerJob): Promise<Read | undefined> {
  const found = await readOperation(tx, job.operationId);
  if (!found) return undefined;
  const { operation } = found;
  const { type, phase, message } = operation;
  return {
    operation,
    server: await readServer(tx, job.instanceId, lockLife(deps)),
    target: (await readTargets(tx, job.instanceId))[0],
    held: await beatLock(tx, { ...job, type, phase, message }),
    ...(await agesOf(tx, job.operationId)),
  };
}

async function look(deps: Deps, job: power.PowerJob, read: Read): Promise<Progress> {
  const { operation, server, target, held } = read;
  if (!server || !target) return ends("servers.deleted", "The server was deleted meanwhile");
  if (!held)
    return ends("servers.lock_lost", "Its lock was lost, and another operation may have the server now");
  if (job.action !== "stop" && isSuspended(server))
    return ends("billing.gated", "The account was suspended meanwhile");
  const { clock, config, live } = deps;
  const overdue = read.ageMs > config.POWER_DEADLINE_MS;
  const requested = operation.phase === "requested";
  // A game that runs is not started twice, nor a stopped one stopped; it could be restarted twice, so that is looked at first.
  const halted = server.hostDesired === "stopped";
  if (requested && (job.action !== "restart" || job.startedBefore === null))
    return ask(deps, job, target, { overdue, halted });
  const begun = clock.now();
  const seen = await live.refresh(target);
  // A round that was under way already may show the time before the agent agreed.
  if (seen.begunAt < begun) return waiting;
  if (requested)
    return restarts(job, seen) ? { end: "accepted" } : ask(deps, job, target, { overdue, halted });
  return judge(job, seen, {
    begun: operation.phase === power.begunPhase,
    settled: read.quietMs >= config.POWER_IDLE_MS,
    ...(overdue ? { lateAfterMs: config.POWER_DEADLINE_MS } : {}),
  });
}

/** Whether the agent is at a restart, or another game runs than before. */
function restarts({ startedBefore }: power.PowerJob, { status }: Observation): boolean {
  if (status?.operation?.type === "restart") return true;
  return typeof status?.started_at === "string" && status.started_at !== startedBefore;
}

/**
 * The agent is busy or away: asked again until the time is up. Any other no of the agent is the end. Where the host was
 * stopped (`halted`) and nobody listens any more, the game went with its container.
 */
async function ask(
  deps: Deps,
  job: power.PowerJob,
  target: Target,
  { overdue, halted }: { overdue: boolean; halted: boolean },
): Promise<Progress> {
  try {
    const answer = await deps.agent(target.agent, deps.config.POWER_CALL_MS)[job.action]();
    return { end: power.wasDone(job.action, answer) ? "succeeded" : "accepted" };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (halted && job.action === "stop" && error.kind === "refused") return { end: "succeeded" };
    const fault = agentFault(error);
    const mayPass = fault.retryable || fault.status === 409;
    return mayPass && !overdue ? waiting : { end: "failed", error: errorOf(fault) };
  }
}
