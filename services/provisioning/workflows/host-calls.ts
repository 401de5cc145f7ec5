import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import { OutcomeUnknown } from "#shared/saga/saga.ts";
import { type HostContainer, type HostDriver, HostError } from "../adapters/host-driver.ts";
import { type InstanceOwner, isOwnedBy, type Owner } from "../ownership.ts";

/** A question to the host: one that got no answer is asked again. */
export function ask<T>(question: Promise<T>): Promise<T> {
  return question.catch((error: unknown) => {
    throw hostFault(error);
  });
}

/** A change at the host: one that got no answer may have been made, so the step runs again and looks first. */
export function change(order: Promise<void>): Promise<void> {
  return order.catch((error: unknown) => {
    if (error instanceof HostError && error.kind === "unknown")
      throw new OutcomeUnknown("The host did not say whether it has done its part", { cause: error });
    throw hostFault(error);
  });
}

/** The fault that a failed call to a host is; its own words are in `details.upstream`. */
function hostFault(error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  const words = error.message.slice(0, 16_384);
  const details = { upstream: { service: "host", status: null, body: words } };
  if (error.kind === "unknown" || error.kind === "unavailable") {
    const detail =
      error.kind === "unknown" ? "The host does not answer" : `The host cannot do it at the moment: ${words}`;
    return coreFault("service.unavailable", { detail, details }, { cause: error });
  }
  return new Fault(
    {
      code: "provisioning.host_refused",
      status: 502,
      title: "The host refused",
      detail: `The host refused: ${words}`,
      details,
    },
    { cause: error },
  );
}

/** What stands under a VMID: `ours` with a proof that it is this owner's, else `foreign`; neither when it is free. */
export async function look(
  driver: HostDriver,
  owner: Owner | InstanceOwner,
  vmid: number,
): Promise<{ ours?: HostContainer; foreign?: HostContainer }> {
  const found = await ask(driver.locate(vmid));
  if (!found) return {};
  return isOwnedBy(found, owner) ? { ours: found } : { foreign: found };
}

/** As {@link look}, for who needs it to be there. */
export async function ourContainer(
  driver: HostDriver,
  owner: Owner | InstanceOwner,
  vmid: number,
): Promise<HostContainer> {
  const { ours } = await look(driver, owner, vmid);
  if (ours) return ours;
  const detail = `Container ${vmid} is not there any more, or has lost its mark of ownership`;
  throw new Fault({
    code: "provisioning.container_lost",
    status: 502,
    title: "The server's container is gone",
    detail,
  });
}
