import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo, type Step, type StepContext } from "#shared/saga/saga.ts";
import type { WorkflowDeps } from "../deps.ts";

/** State of a workflow that holds the operation lock of a server from its acceptance to its end. */
export type Locked = {
  instanceId: string;
  /** Proves that the lock is still ours. */
  fence: number;
  /** What the server's status shows as the type of its operation. */
  type: string;
};
type Context<S extends Locked> = StepContext<WorkflowDeps, S>;

/**
 * Does `work` while the server's operation lock is kept, and shows `message` to whoever looks at the server. The lock
 * is proven before `work` begins; when it turns out to be lost meanwhile, the signal that `work` is given aborts.
 * Rejects with `provisioning.lock_lost` then: another operation may act on the server already.
 */
export async function underLock<S extends Locked, T>(
  c: Context<S>,
  o: { phase: string; message: string },
  work: (c: Context<S>) => Promise<T>,
): Promise<T> {
  const { clock, settings } = c.deps;
  await beat(c, o);
  const ended = new AbortController();
  const lost = new AbortController();
  const beating = (async () => {
    for (;;) {
      await clock.sleep(settings.heartbeatMs, ended.signal);
      if (ended.signal.aborted) return;
      await beat(c, o).catch((error: unknown) => {
        // A registry that does not answer has taken nothing away; the lock outlives several missed heartbeats.
        if (error instanceof Fault && !error.retryable) lost.abort(error);
        else c.log.warn({ err: error }, "a heartbeat of the operation lock did not get through");
      });
    }
  })();
  try {
    const done = await work({ ...c, signal: AbortSignal.any([c.signal, lost.signal]) });
    lost.signal.throwIfAborted();
    return done;
  } catch (error) {
    // What the work threw is an echo of the lost lock.
    lost.signal.throwIfAborted();
    throw error;
  } finally {
    ended.abort();
    await beating;
  }
}

/** A step that keeps the lock while it works; its title is what the server's status shows meanwhile. */
export const lockedStep = <S extends Locked>(o: {
  name: string;
  title: string;
  work(c: Context<S>): Promise<Partial<S> | void>;
  undo: Step<WorkflowDeps, S>["undo"];
}): Step<WorkflowDeps, S> => ({
  name: o.name,
  title: o.title,
  do: (c) => underLock(c, { phase: o.name, message: o.title }, (held) => o.work(held)),
  undo: o.undo,
});

async function beat(c: Context<Locked>, { phase, message }: { phase: string; message: string }) {
  const { operationId, state } = c;
  const { instanceId, fence, type } = state;
  const lock = { instanceId, operationId, fence };
  const { held } = await c.deps.servers.heartbeat({ ...lock, type, phase, message });
  if (held) return;
  throw new Fault({
    code: "provisioning.lock_lost",
    status: 409,
    title: "Another operation has taken the server over",
  });
}

/** What a server's status shows of work that was accepted and has not begun. */
export const waiting = { phase: "hold-lock", message: "Waiting to begin" };

/** The first step: the lock, taken when the work was accepted, is still there. Undone, it is given back. */
export const holdLock: Step<WorkflowDeps, Locked> = {
  name: "hold-lock",
  title: "Reserving the server for this operation",
  do: (c) => beat(c, waiting),
  undo: (c) => unlock(c),
};

/** The last step, so that who reads that the operation has ended can begin the next one at once. */
export const releaseLock: Step<WorkflowDeps, Locked> = {
  name: "release-lock",
  title: "Finishing",
  do: (c) => unlock(c),
  undo: nothingToUndo,
  // The work is done: there is nothing to fail for any more.
  giveUpAfterMs: Infinity,
};

/** A lock that is not ours any more is none to give back. */
async function unlock({ deps, state, operationId }: Context<Locked>): Promise<void> {
  const { instanceId, fence } = state;
  await deps.servers.unlock({ instanceId, operationId, fence });
}
