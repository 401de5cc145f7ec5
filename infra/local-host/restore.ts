import { adopt, holdAgentPort, type HostDeps, type Machine, removeTraces, terminate } from "./machine.ts";
import { watch } from "./watch.ts";

/**
 * Brings the host back to what its records say: finishes removals, holds the agents' ports, adopts agents that outlived
 * the last host, starts the others that are wanted (without waiting for them), ends those that are not.
 * Returns the vmids whose record cannot be read; they stay taken.
 */
export async function restore(d: HostDeps): Promise<number[]> {
  const { records, condemned, unreadable } = await d.records.load();
  for (const vmid of unreadable) d.log.error({ vmid }, "the record of a container cannot be read");
  for (const vmid of condemned) {
    // A vmid is condemned and alive only when a pardon was cut short: its record wins.
    if (!records.some((record) => record.vmid === vmid)) await removeTraces(d, vmid);
    await d.records.forget(vmid);
    d.log.info({ vmid }, "an interrupted removal is finished");
  }
  // All of them before the first workload runs that could take one.
  const held = new Map(records.map(({ vmid, agentPort }) => [vmid, holdAgentPort(d, vmid, agentPort)]));
  for (const record of records) {
    const { vmid, agentPort: port } = record;
    const machine: Machine = { record, agent: undefined, watch: undefined };
    d.machines.set(vmid, machine);
    const adopted = adopt(d, machine);
    if (!held.get(vmid) && adopted)
      d.log.warn({ vmid, port }, "an agent keeps its port to itself while it lives");
    else if (!held.get(vmid)) d.log.error({ vmid, port }, "a stranger has the port of a container's agent");
    if (record.wanted === "running") watch(d, machine);
    else if (adopted) await d.lock(vmid, () => terminate(d, machine, d.stopTimeoutMs));
  }
  return unreadable;
}
