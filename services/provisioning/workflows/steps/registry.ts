import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import type { HostAddress } from "../../adapters/host-driver.ts";
import { readAgentToken } from "../../store.ts";
import { type Creation, type CreationContext, type CreationStep, edgeAddress, ownerOf } from "../creation.ts";
import { known } from "../deps.ts";
import { ourContainer } from "../host-calls.ts";
import { agentUrl } from "./agent.ts";

/** Makes it a server: from here on its number resolves. */
export const persistInstance: CreationStep = {
  name: "persist-instance",
  title: "Registering the server",
  async do(c) {
    const { operationId, deps, state } = c;
    const { instanceId, accountId: customerId, name, engine } = state;
    const address = known(c, "address");
    const vmid = known(c, "vmid");
    await deps.servers.activate({
      operationId,
      instanceId,
      vmid,
      customerId,
      ctype: engine.ctype,
      name,
      hostname: known(c, "hostname"),
      node: known(c, "node"),
      ip: address.ip,
      agent: {
        address: agentUrl(address),
        token: await withTx(deps.db, (tx) => readAgentToken(tx, operationId)),
      },
      engineType: engine.ctype === "game" ? engine.variant : engine.runtime,
      engineVersion: engine.version,
      payload: { engine: engineFacts(state, address) },
    });
    return { serverId: String(vmid) };
  },
  async undo({ deps, state, operationId }) {
    const reason = "its creation failed";
    await deps.servers.archive({ operationId, instanceId: state.instanceId, reason });
  },
};

function engineFacts({ engine: { ctype, ...engine }, memoryMiB }: Creation, address: HostAddress) {
  const { gamePort, idePort } = address;
  return { ...engine, memoryMiB, ...(ctype === "game" ? { gamePort } : { idePort }) };
}

/**
 * Says where players connect. On the local host that is the container itself; there are no records to write. A dev
 * container is published without such an address.
 */
export const publishEdge: CreationStep = {
  name: "publish-edge",
  title: "Publishing the address",
  async do(c) {
    const eventAt = new Date(c.deps.clock.now()).toISOString();
    const value = {
      address: edgeAddress(c.state),
      hostname: known(c, "hostname"),
      publishedAt: eventAt,
    };
    await mergeEdge(c, value, eventAt);
  },
  async undo(c) {
    await mergeEdge(c, null, new Date(c.deps.clock.now()).toISOString());
  },
};

/** A newer edge than ours, and a server that is gone, both need nothing from us any more. */
async function mergeEdge(c: CreationContext, value: Record<string, unknown> | null, eventAt: string) {
  const { instanceId } = c.state;
  try {
    await c.deps.servers.mergePayload({ instanceId, key: "edge", value, eventAt });
  } catch (error) {
    const passed = ["servers.stale", ...(value === null ? ["servers.not_found"] : [])];
    if (!(error instanceof Fault && passed.includes(error.code))) throw error;
  }
}

export const registerProxy: CreationStep = {
  name: "register-proxy",
  title: "Registering with the game proxy",
  do: (c) =>
    c.progress(
      c.state.engine.ctype === "dev"
        ? "Skipped: nobody joins a dev container through a game proxy"
        : "Skipped: no game proxy is configured, players connect directly",
    ),
  undo: nothingToUndo,
};

/** Looks once more at everything that a customer was promised before saying that it is there. */
export const confirm: CreationStep = {
  name: "confirm",
  title: "Checking everything",
  async do(c) {
    const { instance } = await c.deps.servers.findInstance({ instanceId: c.state.instanceId });
    if (instance?.vmid !== c.state.vmid)
      throw new Fault({
        code: "provisioning.not_registered",
        status: 502,
        title: "The server is not registered",
      });
    await ourContainer(c.deps.driver, ownerOf(c), known(c, "vmid"));
  },
  undo: nothingToUndo,
};
