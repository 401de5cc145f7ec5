import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import { ownerTag } from "../../ownership.ts";
import { readAgentToken } from "../../store.ts";
import { type CreationStep, ownerOf } from "../creation.ts";
import { known, waitFor } from "../deps.ts";
import { ask, change, look, ourContainer } from "../host-calls.ts";

/** Gives the container its memory, its second mark of ownership and the secret of its agent. */
export const configureContainer: CreationStep = {
  name: "configure-container",
  title: "Configuring the container",
  async do(c) {
    const vmid = known(c, "vmid");
    await ourContainer(c.deps.driver, ownerOf(c), vmid);
    const agentToken = await withTx(c.deps.db, (tx) => readAgentToken(tx, c.operationId));
    const tags = [ownerTag(ownerOf(c))];
    await change(c.deps.driver.configure(vmid, { tags, memoryMiB: c.state.memoryMiB, agentToken }));
  },
  // It goes with the container.
  undo: nothingToUndo,
};

export const startContainer: CreationStep = {
  name: "start-container",
  title: "Starting the container",
  async do(c) {
    const vmid = known(c, "vmid");
    const { status } = await ourContainer(c.deps.driver, ownerOf(c), vmid);
    if (status !== "running") await change(c.deps.driver.start(vmid));
  },
  async undo(c) {
    const { vmid } = c.state;
    if (vmid === undefined) return;
    const { ours } = await look(c.deps.driver, ownerOf(c), vmid);
    if (ours?.status === "running")
      await change(c.deps.driver.stop(vmid, { timeoutMs: c.deps.settings.stopMs }));
  },
};

export const waitForIp: CreationStep = {
  name: "wait-for-ip",
  title: "Waiting for an address",
  async do(c) {
    const { driver, settings } = c.deps;
    const vmid = known(c, "vmid");
    const late = () =>
      new Fault({
        code: "provisioning.no_address",
        status: 504,
        title: "The server got no address",
        detail: `The container was started and had no address after ${settings.addressMs / 1000} s`,
      });
    return { address: await waitFor(c, settings.addressMs, () => ask(driver.address(vmid)), late) };
  },
  undo: nothingToUndo,
};
