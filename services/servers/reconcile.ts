import type { AgentState, AgentStatus } from "#shared/agent/contract.ts";
import { AgentError } from "#shared/agent/error.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { effectiveDesired, isSuspended } from "./axes.ts";
import type { Config } from "./config.ts";
import { servers } from "./contract.ts";
import { lockLife } from "./moment.ts";
import { openPower, type PowerAction } from "./power.ts";
import type { Deps } from "./service.ts";
import {
  claimLock,
  type Desired,
  type LockRecord,
  readFailures,
  readServer,
  readTargets,
  type ServerRecord,
  type Target,
} from "./store.ts";

/**
 * Makes what runs follow effective desired, for one server: starts a game that should run and is idle (its host was
 * restarted), stops one that should not run and does, or is about to (its account was suspended). It decides only; the
 * deed is a power operation like a customer's, so it holds the lock, is seen, and survives this process.
 *
 * Left alone are dev servers, agents that do not answer, games that are installed or stopped at the moment, crashed ones that
 * should run (the agent has a back-off of its own), servers whose lock is held or that are taken down, and for a while,
 * longer each time, those at which the same action failed: a failed start keeps no suspension waiting. Nor does another
 * service's operation, which may hold the lock for minutes: see {@link stopBeside}.
 */
export const reconcileServer =
  (deps: Deps) =>
  async (instanceId: string): Promise<void | { again: number }> => {
    const { db, clock, config, live } = deps;
    const seen = live.get(instanceId);
    // The poller asks the agents. Waiting for dead ones here would keep the others from being reconciled.
    if (!seen?.status || clock.now() - seen.endedAt > config.AGENT_TTL_MS) return undefined;
    const { status } = seen;
    const beside = await withTx(db, async (tx): Promise<Target | { again: number } | undefined> => {
      const server = await readServer(tx, instanceId, lockLife(deps));
      if (server?.ctype !== "game") return undefined;
      const held = server.lock !== null || server.removing;
      if (held && (!isSuspended(server) || isOwn(server.lock))) return undefined;
      // A host that is stopped takes its game along. What was seen of it before says nothing any more, and an agent that is
      // gone would keep the lock until the deadline.
      if (server.hostDesired === "stopped" && !isSuspended(server)) return undefined;
      const action = actionFor(effectiveDesired(server), status);
      if (!action) return undefined;
      if (held) return (await readTargets(tx, instanceId))[0];
      const waitMs = await patience(tx, config, { instanceId, action });
      if (waitMs > 0) return { again: Math.ceil(waitMs) };
      await begin(deps, tx, server, action);
      return undefined;
    });
    return beside && "agent" in beside ? stopBeside(deps, beside) : beside;
  };

/** A power operation, which looks at the account itself. */
const isOwn = (lock: LockRecord | null): boolean =>
  lock?.operationId.startsWith(`${servers.operations}_`) ?? false;

/**
 * Asks the agent to stop without the lock, again and again until it has: a suspension does not wait for a host that hangs.
 * Whatever is done under the lock is told by the agent if it is in its way, as the agent does one thing at a time; and nothing
 * that is done there relies on a game that runs.
 */
async function stopBeside(
  { agent, config, log }: Deps,
  { instanceId, agent: access }: Target,
): Promise<{ again: number }> {
  try {
    await agent(access, config.AGENT_CALL_MS).stop();
    log.info({ instanceId }, "the game of a suspended account is stopped beside another operation");
  } catch (err) {
    if (!(err instanceof AgentError)) throw err;
    log.warn({ err, instanceId }, "the game of a suspended account was not stopped yet");
  }
  return { again: config.AGENT_POLL_MS };
}

/** How long to wait since the same action failed: longer each time for a start, never longer for a stop. */
async function patience(
  tx: Tx,
  config: Config,
  { instanceId, action }: { instanceId: string; action: PowerAction },
): Promise<number> {
  const { failures, ageMs } = await readFailures(tx, { instanceId, type: `power.${action}` });
  if (failures === 0) return 0;
  const { RECONCILE_RETRY_MS: first, RECONCILE_RETRY_MAX_MS: last } = config;
  const waitMs = action === "stop" ? first : Math.min(last, first * 2 ** (failures - 1));
  return waitMs - ageMs;
}

async function begin(deps: Deps, tx: Tx, server: ServerRecord, action: PowerAction): Promise<void> {
  const { instanceId, customerId, vmid } = server;
  const now = deps.clock.now();
  const operationId = newId("srv");
  const claim = { instanceId, operationId, type: `power.${action}` };
  const fence = await claimLock(tx, { ...claim, life: lockLife(deps) });
  if (fence === undefined) return;
  const job = { instanceId, operationId, fence, action, startedBefore: null };
  await openPower(tx, { job, customerId, vmid, runAt: now, message: sentence(server, action) });
}

function sentence(server: ServerRecord, action: PowerAction): string {
  if (isSuspended(server)) return "Stopping the game because the account is suspended";
  if (action === "start") return "Starting the game again, as it should be running";
  return "Stopping the game, as it should be stopped";
}

const up: readonly AgentState[] = ["running", "starting", "crashed"];

/** Pure: what an agent in this state should be asked for, if anything. One that has crashed is about to start again. */
export function actionFor(
  desired: Desired,
  { state, operation }: Pick<AgentStatus, "state" | "operation">,
): PowerAction | undefined {
  if (desired === "running") return state === "idle" && !operation ? "start" : undefined;
  return up.includes(state) && operation?.type !== "stop" ? "stop" : undefined;
}
