import { hostnameOf } from "../../hostname.ts";
import type { CreationContext, CreationStep } from "../creation.ts";

/**
 * The VMID that `servers` keeps for this creation: always the same one, until it is excluded. Asked again by every
 * step that has to be sure, because a step may have been killed between a change of VMID and its own log.
 */
export async function reservedVmid(c: CreationContext, exclude: readonly number[] = []): Promise<number> {
  const { instanceId, accountId: customerId, engine } = c.state;
  const { operationId } = c;
  const ask = { operationId, instanceId, customerId, ctype: engine.ctype, exclude: [...exclude] };
  return (await c.deps.servers.reserve(ask)).vmid;
}

export const allocateVmid: CreationStep = {
  name: "allocate-vmid",
  title: "Reserving a server number",
  async do(c) {
    const vmid = await reservedVmid(c);
    await c.progress(`Server number ${vmid} is reserved`);
    return { vmid, hostname: hostnameOf(c.state.name, vmid) };
  },
  async undo(c) {
    await c.deps.servers.release({ operationId: c.operationId, instanceId: c.state.instanceId });
  },
};
