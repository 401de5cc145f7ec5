import { z } from "zod";
import { AgentError } from "#shared/agent/error.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo, OutcomeUnknown, type Step, type StepContext } from "#shared/saga/saga.ts";
import type { HostAddress, HostContainer } from "../../adapters/host-driver.ts";
import { known, waitFor, type WorkflowDeps } from "../deps.ts";
import { ask, change, ourContainer } from "../host-calls.ts";
import { agentUrl } from "./agent.ts";
import { type Locked, lockedStep } from "./lock.ts";

export type HostPower = Locked & { vmid: number; ctype: "game" | "dev"; address?: HostAddress };
type HostPowerStep = Step<WorkflowDeps, HostPower>;
type Context = StepContext<WorkflowDeps, HostPower>;

const wish = (desired: "running" | "stopped"): HostPowerStep => ({
  name: "write-wish",
  title: "Noting what is wished for",
  async do({ deps, state, operationId }) {
    const { instanceId, fence } = state;
    await deps.servers.setHostDesired({ instanceId, operationId, fence, desired });
  },
  undo: nothingToUndo,
});
export const wishRunning = wish("running");
export const wishStopped = wish("stopped");

/** Stops the container in order: its agent ends what runs in it first, so that a world is saved. */
export const stopServer = lockedStep<HostPower>({
  name: "stop-container",
  title: "Stopping the container",
  async work(c) {
    const { driver, settings } = c.deps;
    if ((await container(c)).status === "stopped") return;
    await change(driver.stop(c.state.vmid, { timeoutMs: settings.shutdownMs }));
    await shows(c, "stopped");
  },
  undo: nothingToUndo,
});

export const startServer = lockedStep<HostPower>({
  name: "start-container",
  title: "Starting the container",
  async work(c) {
    if ((await container(c)).status === "running") return;
    await change(c.deps.driver.start(c.state.vmid));
    await shows(c, "running");
  },
  undo: nothingToUndo,
});

/** A container that runs is of use only when its agent answers. */
export const awaitAgent = lockedStep<HostPower>({
  name: "wait-agent",
  title: "Waiting for the agent",
  async work(c) {
    const { deps } = c;
    const { driver, settings } = deps;
    let last: unknown;
    const probe = async () => {
      const address = await ask(driver.address(c.state.vmid));
      if (!address) return undefined;
      // Its life needs no secret to be seen.
      const health = await deps
        .agent({ address: agentUrl(address), token: "" })
        .health()
        .catch((error: unknown) => {
          if (!(error instanceof AgentError)) throw error;
          last = error;
        });
      return health?.ok ? address : undefined;
    };
    const late = () => silent(settings.addressMs, last);
    return { address: await waitFor(c, settings.addressMs, probe, late) };
  },
  undo: nothingToUndo,
});

/** A container that was started may answer elsewhere than before; everybody else learns of it from the registry. */
export const noteAddress = lockedStep<HostPower>({
  name: "note-address",
  title: "Noting the address",
  async work(c) {
    const { deps, state, operationId } = c;
    const { instanceId, fence } = state;
    const address = known(c, "address");
    const agentAddress = agentUrl(address);
    await deps.servers.setAddress({ instanceId, operationId, fence, ip: address.ip, agentAddress });
    if (state.ctype === "game") await moveEdge(c, `${address.ip}:${address.gamePort}`);
  },
  undo: nothingToUndo,
});

/** Players of a published game are sent to where it is now. */
async function moveEdge({ deps, state: { instanceId } }: Context, address: string): Promise<void> {
  const { instance } = await deps.servers.findInstance({ instanceId });
  const edge = Edge.safeParse(instance?.payload["edge"]).data;
  if (!edge || edge.address === address) return;
  const publishedAt = new Date(deps.clock.now()).toISOString();
  const value = { ...edge, address, publishedAt };
  try {
    await deps.servers.mergePayload({ instanceId, key: "edge", value, eventAt: publishedAt });
  } catch (error) {
    // Somebody has published it anew since.
    if (!(error instanceof Fault && error.code === "servers.stale")) throw error;
  }
}

const Edge = z.looseObject({ address: z.string() });

function container({ deps, state }: Context): Promise<HostContainer> {
  const { instanceId, vmid } = state;
  return ourContainer(deps.driver, { installation: deps.installation, instanceId }, vmid);
}

/** The host's own word on what it has done, before anybody is told. */
async function shows(c: Context, wanted: HostContainer["status"]): Promise<void> {
  const { status } = await container(c);
  if (status !== wanted)
    throw new OutcomeUnknown(`The host has answered, and shows the container as ${status}`);
}

function silent(limitMs: number, last: unknown): Fault {
  return new Fault(
    {
      code: "provisioning.agent_silent",
      status: 504,
      title: "The server's agent does not answer",
      detail: `The container was started, and its agent did not answer within ${limitMs / 1000} s`,
    },
    { cause: last },
  );
}
