import type { AgentState } from "#shared/agent/contract.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { effectiveDesired, isSuspended } from "./axes.ts";
import { lockAliveSince } from "./moment.ts";
import { openPower, type PowerAction } from "./power.ts";
import type { Deps } from "./service.ts";
import { claimLock, type Desired, lastFailureAge, readServer } from "./store.ts";

/**
 * Makes what runs follow effective desired, for one server: starts a game that should run and is idle (its host was
 * restarted), stops one that runs and should not (its account was suspended). It decides only; the deed is a power
 * operation like a customer's, so it holds the lock, is seen, and survives this process.
 *
 * Left alone are dev servers, agents that do not answer, games in transition, crashed ones (the agent has a back-off of
 * its own), servers whose lock is held, and for a while those at which the same action failed: a failed start keeps no suspension waiting.
 */
export const reconcileServer =
  (deps: Deps) =>
  async (instanceId: string): Promise<void | { again: number }> => {
    const { db, clock, config, live } = deps;
    const seen = live.get(instanceId);
    // The poller asks the agents. Waiting for dead ones here would keep the others from being reconciled.
    if (!seen?.status || seen.status.operation || clock.now() - seen.endedAt > config.AGENT_TTL_MS)
      return undefined;
    const { state } = seen.status;
    return withTx(db, async (tx) => {
      const now = clock.now();
      const operationId = newId("srv");
      const aliveSince = lockAliveSince(deps);
      const server = await readServer(tx, instanceId, aliveSince);
      if (server?.ctype !== "game" || server.lock) return undefined;
      const action = actionFor(effectiveDesired(server), state);
      if (!action) return undefined;
      const type = `power.${action}`;
      const sinceFailureMs = await lastFailureAge(tx, { instanceId, type });
      const waitMs = config.RECONCILE_RETRY_MS - (sinceFailureMs ?? Infinity);
      if (waitMs > 0) return { again: Math.ceil(waitMs) };
      const fence = await claimLock(tx, { instanceId, operationId, type, now: new Date(now), aliveSince });
      if (fence === undefined) return undefined;
      const job = { instanceId, operationId, fence, action, startedBefore: null, begunAt: now };
      const message = isSuspended(server)
        ? "Stopping the game because the account is suspended"
        : action === "start"
          ? "Starting the game again, as it should be running"
          : "Stopping the game, as it should be stopped";
      await openPower(tx, { job, customerId: server.customerId, vmid: server.vmid, runAt: now, message });
      return undefined;
    });
  };

/** Pure: what an agent in this state should be asked for, if anything. */
export function actionFor(desired: Desired, state: AgentState): PowerAction | undefined {
  if (desired === "running") return state === "idle" ? "start" : undefined;
  return state === "running" ? "stop" : undefined;
}
