import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import type { HostAddress } from "../../adapters/host-driver.ts";
import { readAgentToken } from "../../store.ts";
import { type CreationContext, type CreationStep, known } from "../creation.ts";
import { ourContainer } from "../host-calls.ts";
import { agentUrl } from "./agent.ts";

/** Makes it a server: from here on its number resolves. */
export const persistInstance: CreationStep = {
  name: "persist-instance",
  title: "Registering the server",
  async do(c) {
    const { operationId, deps, state } = c;
    const { instanceId, accountId: customerId, name, game, variant, version, memoryMiB } = state;
    const address = known(c, "address");
    const vmid = known(c, "vmid");
    await deps.servers.activate({
      operationId,
      instanceId,
      vmid,
      customerId,
      ctype: "game",
      name,
      hostname: known(c, "hostname"),
      node: known(c, "node"),
      ip: address.ip,
      agent: {
        address: agentUrl(address),
        token: await withTx(deps.db, (tx) => readAgentToken(tx, operationId)),
      },
      engineType: variant,
      engineVersion: version,
      payload: { engine: { game, variant, version, memoryMiB, gamePort: address.gamePort } },
    });
    return { serverId: String(vmid) };
  },
  async undo({ deps, state, operationId }) {
    const reason = "its creation failed";
    await deps.servers.archive({ operationId, instanceId: state.instanceId, reason });
  },
};

/** Says where players connect. On the local host that is the container itself; there are no records to write. */
export const publishEdge: CreationStep = {
  name: "publish-edge",
  title: "Publishing the address",
  async do(c) {
    const eventAt = new Date(c.deps.clock.now()).toISOString();
    const value = {
      address: playerAddress(known(c, "address")),
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

/** `host:port` for players. */
export const playerAddress = ({ ip, gamePort }: HostAddress): string => `${ip}:${gamePort}`;

export const registerProxy: CreationStep = {
  name: "register-proxy",
  title: "Registering with the game proxy",
  do: (c) => c.progress("Skipped: no game proxy is configured, players connect directly"),
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
    await ourContainer(c, known(c, "vmid"));
  },
  undo: nothingToUndo,
};
