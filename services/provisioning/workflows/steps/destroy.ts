import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import type { HostContainer } from "../../adapters/host-driver.ts";
import { noteFinding } from "../../store.ts";
import { type Deletion, type DeletionContext, findContainer, isArchived } from "../deletion.ts";
import { change } from "../host-calls.ts";
import { holdLock, lockedStep } from "./lock.ts";

/**
 * Nothing that runs is deleted: it ends the deletion, or is stopped in order first where an operator said so, or where
 * an earlier deletion has got so far that nobody else can stop it.
 */
export const checkStopped = lockedStep<Deletion>({
  name: "check-stopped",
  title: "Checking that the server is stopped",
  async work(c) {
    const { ours } = await findContainer(c.deps, c.state);
    if (ours?.status !== "running") return;
    const { force, instanceId } = c.state;
    if (!force && !(await isArchived(c.deps, instanceId))) throw stillRunning();
    await bringDown(c);
  },
  // Undone last: who asks for the deletion again then is given the lock.
  undo: (c) => holdLock.undo(c),
});

/**
 * Removes the server's container. One that is gone already is what was wanted. A stranger's container under the number
 * is noted and left alone: it is no reason to keep a customer from deleting a server.
 */
export const destroyContainer = lockedStep<Deletion>({
  name: "destroy-container",
  title: "Deleting the container",
  async work(c) {
    const { ours, foreign } = await findContainer(c.deps, c.state);
    if (foreign) return reportForeign(c, foreign);
    if (!ours) return c.progress("The container is gone already");
    if (ours.status === "running") await bringDown(c);
    await change(c.deps.driver.destroy(c.state.vmid));
  },
  undo: nothingToUndo,
});

/** An agent that is told to end stops what it runs first; the container follows. */
async function bringDown(c: DeletionContext): Promise<void> {
  await c.progress("Stopping the server");
  await change(c.deps.driver.stop(c.state.vmid, { timeoutMs: c.deps.settings.shutdownMs }));
}

async function reportForeign(c: DeletionContext, { node, hostname }: HostContainer): Promise<void> {
  const { vmid, instanceId } = c.state;
  const detail = { operationId: c.operationId, instanceId, node, hostname };
  c.log.warn({ vmid, ...detail }, "the number of a deleted server is taken by a container that is not ours");
  const finding = { kind: "foreign_container" as const, subject: String(vmid), detail };
  await withTx(c.deps.db, (tx) => noteFinding(tx, finding));
  await c.progress("The container is gone already; another one stands in its place and is left alone");
}

const stillRunning = () =>
  new Fault({
    code: "provisioning.still_running",
    status: 409,
    title: "The server is running; stop it first",
  });
