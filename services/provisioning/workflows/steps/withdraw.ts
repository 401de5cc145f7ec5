import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import type { Deletion, DeletionContext, DeletionStep } from "../deletion.ts";
import { holdLock, lockedStep } from "./lock.ts";

/** Writes the server into the archive, once; from here on nothing but its deletion may be done to it. */
export const archiveInstance = lockedStep<Deletion>({
  name: "archive-instance",
  title: "Archiving the server",
  work: (c) => archive(c, { keepRow: true }),
  undo: nothingToUndo,
});

/** Takes the address away. On the local host there are no other records of it. */
export const unpublishEdge = lockedStep<Deletion>({
  name: "unpublish-edge",
  title: "Withdrawing the address",
  async work({ deps, state: { instanceId } }) {
    const eventAt = new Date(deps.clock.now()).toISOString();
    try {
      await deps.servers.mergePayload({ instanceId, key: "edge", value: null, eventAt });
    } catch (error) {
      // A row that is gone has no address; an address that was written later is withdrawn with the row.
      const passed = ["servers.not_found", "servers.stale"];
      if (!(error instanceof Fault && passed.includes(error.code))) throw error;
    }
  },
  undo: nothingToUndo,
});

export const unregisterProxy: DeletionStep = {
  name: "unregister-proxy",
  title: "Taking the server out of the game proxy",
  do: (c) => c.progress("Skipped: no game proxy is configured"),
  undo: nothingToUndo,
};

/** From here on the number resolves to nothing. With the row goes its lock, so nothing beats after it is gone. */
export const deleteRow: DeletionStep = {
  name: "delete-row",
  title: "Taking the server off the list",
  async do(c) {
    const { instance } = await c.deps.servers.findInstance({ instanceId: c.state.instanceId });
    if (!instance) return;
    await holdLock.do(c);
    await archive(c, { keepRow: false });
  },
  undo: nothingToUndo,
};

export const releaseVmid: DeletionStep = {
  name: "release-vmid",
  title: "Giving the server number back",
  async do(c) {
    const { operationId, state } = c;
    await c.deps.servers.release({ operationId, instanceId: state.instanceId });
    // There still is a lock where the deletion began without a row.
    await holdLock.undo(c);
  },
  undo: nothingToUndo,
};

async function archive({ deps, operationId, state }: DeletionContext, { keepRow }: { keepRow: boolean }) {
  const reason = state.force ? "deleted by force by an operator" : "deleted on request";
  await deps.servers.archive({ operationId, instanceId: state.instanceId, reason, keepRow });
}
