import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import { OutcomeUnknown } from "#shared/saga/saga.ts";
import { type HostContainer, HostError } from "../adapters/host-driver.ts";
import { isOwnedBy } from "../ownership.ts";
import { type CreationContext, ownerOf } from "./creation.ts";

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

function hostFault(error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  const details = { upstream: { service: "host", status: null, body: error.message.slice(0, 16_384) } };
  if (error.kind === "unknown" || error.kind === "unavailable")
    return coreFault(
      "service.unavailable",
      { detail: "The host does not answer", details },
      { cause: error },
    );
  return hostRefused(details, error);
}

const hostRefused = (details: Record<string, unknown>, cause: unknown) =>
  new Fault(
    { code: "provisioning.host_refused", status: 502, title: "The host refused to make the server", details },
    { cause },
  );

/** The container of this creation; undefined when the VMID is free, `foreign` when it is somebody else's. */
export async function look(
  c: CreationContext,
  vmid: number,
): Promise<{ ours?: HostContainer; foreign?: HostContainer }> {
  const found = await ask(c.deps.driver.locate(vmid));
  if (!found) return {};
  return isOwnedBy(found, ownerOf(c)) ? { ours: found } : { foreign: found };
}

/** As {@link look}, for steps that need it to be there. */
export async function ourContainer(c: CreationContext, vmid: number): Promise<HostContainer> {
  const { ours } = await look(c, vmid);
  if (ours) return ours;
  const detail = `Container ${vmid} is not there any more, or has lost its mark of ownership`;
  throw new Fault({
    code: "provisioning.container_lost",
    status: 502,
    title: "The server's container is gone",
    detail,
  });
}
