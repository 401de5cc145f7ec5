import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { publicError } from "#shared/saga/failure.ts";
import { OutcomeUnknown } from "#shared/saga/saga.ts";
import { type HostContainer, HostError } from "../../adapters/host-driver.ts";
import { hostnameOf } from "../../hostname.ts";
import { ownerMark } from "../../ownership.ts";
import { endCloneSlot, freeCloneSlot, noteFinding, takeCloneSlot } from "../../store.ts";
import { type CreationContext, type CreationStep, ownerOf } from "../creation.ts";
import { change, look } from "../host-calls.ts";
import { reservedVmid } from "./vmid.ts";

/** Makes the container under a VMID that is free at the host too; a stranger's container is reported and left alone. */
export const cloneContainer: CreationStep = {
  name: "clone-container",
  title: "Making the container",
  async do(c) {
    const holder = crypto.randomUUID();
    const since = await cloneSlot(c, holder);
    const made = await makeContainer(c).catch((error: unknown) => {
      throw lastWord(c, error, since);
    });
    // Only now, or when it is undone: after a failure the host may be cloning still, and the next try has the slot again.
    await withTx(c.deps.db, (tx) => freeCloneSlot(tx, c.operationId, holder));
    return made;
  },
  async undo(c) {
    // The state may be older than the last change of VMID.
    const candidates = new Set([await vmidInForce(c), c.state.vmid]);
    for (const vmid of candidates) if (vmid !== undefined) await removeOurs(c, vmid);
    await withTx(c.deps.db, (tx) => endCloneSlot(tx, c.operationId));
  },
  // It gives up by itself: the time that it waits for a slot is nobody's failure.
  giveUpAfterMs: Infinity,
};

/** An error after which there is no further try, once the clone has been tried for long enough. */
function lastWord(c: CreationContext, error: unknown, since: number): unknown {
  const { clock, settings } = c.deps;
  if (clock.now() - since < settings.cloneGiveUpMs) return error;
  const passing = error instanceof OutcomeUnknown || (error instanceof Fault && error.retryable);
  if (!passing) return error;
  const { code, message, details } = publicError(error);
  const title = "The container could not be made in time";
  return new Fault({ code, status: 504, title, detail: message, details }, { cause: error });
}

/** Without a number in force the registry would choose one; when it has none left, there is none to look at. */
async function vmidInForce(c: CreationContext): Promise<number | undefined> {
  try {
    return await reservedVmid(c);
  } catch (error) {
    if (error instanceof Fault && error.code === "servers.range_exhausted") return undefined;
    throw error;
  }
}

async function makeContainer(c: CreationContext) {
  const excluded: number[] = [];
  for (;;) {
    c.signal.throwIfAborted();
    const vmid = await reservedVmid(c, excluded);
    const hostname = hostnameOf(c.state.name, vmid);
    const found = await look(c.deps.driver, ownerOf(c), vmid);
    if (found.ours) return { vmid, hostname, node: found.ours.node };
    if (!found.foreign && (await create(c, vmid, hostname))) {
      const made = await look(c.deps.driver, ownerOf(c), vmid);
      if (made.ours) return { vmid, hostname, node: made.ours.node };
      throw new OutcomeUnknown("The host made the container and does not show it");
    }
    await reportForeign(c, vmid, found.foreign);
    excluded.push(vmid);
  }
}

/** False when somebody took the VMID since we looked. */
async function create(c: CreationContext, vmid: number, hostname: string): Promise<boolean> {
  const { memoryMiB } = c.state;
  const description = ownerMark(ownerOf(c));
  try {
    await change(c.deps.driver.create({ vmid, hostname, description, memoryMiB }));
    return true;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof HostError && cause.kind === "taken")) throw error;
    // Ours after all, if a first call of which we never heard went through just now.
    return (await look(c.deps.driver, ownerOf(c), vmid)).ours !== undefined;
  }
}

async function reportForeign(c: CreationContext, vmid: number, container: HostContainer | undefined) {
  const detail = { operationId: c.operationId, node: container?.node, hostname: container?.hostname };
  c.log.warn({ vmid, ...detail }, "a free VMID is taken at the host by a container that is not ours");
  const finding = { kind: "foreign_container" as const, subject: String(vmid), detail };
  await withTx(c.deps.db, (tx) => noteFinding(tx, finding));
  await c.progress(`Server number ${vmid} is taken; trying another one`);
}

/** Removes the container of this creation; whatever else may stand under the VMID stays untouched. */
async function removeOurs(c: CreationContext, vmid: number): Promise<void> {
  const { driver, settings } = c.deps;
  const { ours } = await look(c.deps.driver, ownerOf(c), vmid);
  if (!ours) return;
  if (ours.status === "running") await change(driver.stop(vmid, { timeoutMs: settings.stopMs }));
  await change(driver.destroy(vmid));
}

/** Looks for a slot that are made before a waiting creation lets other work have its place in the worker. */
const looksPerTurn = 20;

/** Waits for a slot; resolves with the time at which this operation first got it, in milliseconds since the epoch. */
async function cloneSlot(c: CreationContext, holder: string): Promise<number> {
  const { operationId, deps } = c;
  const { db, clock, driver, settings } = deps;
  const { clonesPerStorage: slots, cloneLeaseMs: leaseMs, pollMs } = settings;
  const slot = { operationId, holder, storage: driver.storage, slots, leaseMs };
  const title = "Waiting for other servers to be cloned";
  for (let looks = 0; looks < looksPerTurn; looks++) {
    const heldMs = await withTx(db, (tx) => takeCloneSlot(tx, slot));
    if (heldMs !== undefined) return clock.now() - heldMs;
    if (looks === 0) await c.progress(title);
    await clock.sleep(pollMs, c.signal);
    c.signal.throwIfAborted();
  }
  throw new Fault({ code: "provisioning.clones_busy", status: 503, title, retryable: true });
}
