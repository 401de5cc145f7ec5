import type { Step, StepContext } from "#shared/saga/saga.ts";
import type { HostContainer } from "../adapters/host-driver.ts";
import type { WorkflowDeps } from "./deps.ts";
import { look } from "./host-calls.ts";
import type { Locked } from "./steps/lock.ts";

/** What is to be deleted, as its registry described it when the work was accepted. It holds no secret. */
export type Deletion = Locked & {
  vmid: number;
  customerId: string;
  ctype: "game" | "dev";
  name: string;
  hostname: string;
  node: string;
  /** What runs is stopped, instead of being a reason to refuse. */
  force: boolean;
};

export type DeletionContext = StepContext<WorkflowDeps, Deletion>;
export type DeletionStep = Step<WorkflowDeps, Deletion>;

/**
 * Whether the server is in the archive already: only its deletion may be done to it then, so that a container which
 * runs all the same (its host has restarted) is the deletion's to stop.
 */
export async function isArchived({ servers }: Pick<WorkflowDeps, "servers">, instanceId: string) {
  const { instance } = await servers.findInstance({ instanceId });
  return instance?.removing ?? true;
}

/** The container of the server; `foreign` when somebody else's stands under its number. */
export function findContainer(
  { driver, installation }: Pick<WorkflowDeps, "driver" | "installation">,
  { vmid, instanceId }: Pick<Deletion, "vmid" | "instanceId">,
): Promise<{ ours?: HostContainer; foreign?: HostContainer }> {
  return look(driver, { installation, instanceId }, vmid);
}
