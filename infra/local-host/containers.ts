import { waitHealthy } from "./health.ts";
import {
  type HostDeps,
  isRunning,
  launch,
  type Machine,
  portsInUse,
  removeTraces,
  save,
  takeAgentPort,
  territoryOf,
  terminate,
} from "./machine.ts";
import { chooseFreePorts } from "./ports.ts";
import { HostError, isErrno } from "./problem.ts";
import { restore } from "./restore.ts";
import type { ContainerRecord } from "./record.ts";
import { Container, type CreateContainer, type StopContainer, type UpdateContainer } from "./schema.ts";
import { makeStorage, removeStorage } from "./storage.ts";
import { watch } from "./watch.ts";

export type Containers = ReturnType<typeof createContainers>;

/** The verbs of the host. Each takes the lock of its vmid; each refusal is a `HostError`. */
export function createContainers(d: HostDeps) {
  let stopping = false;
  const taken = new Set<number>();

  const get = (vmid: number): Machine => {
    const machine = d.machines.get(vmid);
    if (!machine) throw new HostError("container.not_found", `there is no container ${vmid}`);
    return machine;
  };
  const change = <T>(vmid: number, fn: () => Promise<T>): Promise<T> =>
    d.lock(vmid, async () => {
      if (stopping) throw new HostError("host.stopping", "the host is stopping");
      return fn();
    });

  return {
    list: (): Container[] => [...d.machines.values()].map(show).toSorted((a, b) => a.vmid - b.vmid),
    find: (vmid: number): Container => show(get(vmid)),
    create: (o: CreateContainer) =>
      change(o.vmid, async () => {
        if (d.machines.has(o.vmid))
          throw new HostError("container.exists", `container ${o.vmid} exists already`);
        if (taken.has(o.vmid))
          throw new HostError("container.unreadable", `the record of container ${o.vmid} cannot be read`);
        return show(await create(d, o));
      }),
    update: (vmid: number, o: UpdateContainer) =>
      change(vmid, async () => {
        const machine = get(vmid);
        await save(d, machine, withoutUndefined(o));
        return show(machine);
      }),
    start: (vmid: number) => start(d, vmid, get, change),
    stop: (vmid: number, o: StopContainer) =>
      change(vmid, async () => {
        const machine = get(vmid);
        await halt(d, machine, o.timeoutMs ?? d.stopTimeoutMs);
        return show(machine);
      }),
    remove: (vmid: number) =>
      change(vmid, async () => {
        const machine = get(vmid);
        if (isRunning(machine)) throw new HostError("container.running", `container ${vmid} is running`);
        machine.watch?.abort();
        await remove(d, machine);
      }),
    /** Reads the records, finishes removals, adopts living agents; the others that are wanted start behind it. */
    restore: async (): Promise<void> => {
      for (const vmid of await restore(d)) taken.add(vmid);
    },
    /** The executables of agents that live now. */
    binariesInUse: (): string[] =>
      [...d.machines.values()].flatMap(({ agent, record }) => (agent && record.binary) || []),
    /** Stops every agent, all at once. What was wanted stays stored: the next host starts it again. */
    shutdown: async (): Promise<void> => {
      stopping = true;
      const machines = [...d.machines.values()];
      for (const machine of machines) machine.watch?.abort();
      const ends = machines.map(async (machine) => {
        const { vmid } = machine.record;
        const end = d.lock(vmid, () => {
          machine.watch?.abort();
          return terminate(d, machine, d.stopTimeoutMs);
        });
        // One that cannot be ended must not keep the others, and the host, from ending.
        await end.catch((error: unknown) =>
          d.log.error({ vmid, err: error }, "the agent could not be ended"),
        );
      });
      await Promise.all(ends);
      d.ports.releaseAll();
    },
  };
}

function show(machine: Machine): Container {
  // Parsing leaves out what the contract does not have: the agent's token above all.
  return Container.parse({
    ...machine.record,
    status: isRunning(machine) ? "running" : "stopped",
    node: "local",
    ip: "127.0.0.1",
  });
}

/** Absent members stay as they are. */
function withoutUndefined(o: UpdateContainer): Partial<ContainerRecord> {
  return Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined));
}

/** The record is written last: a create that is killed before leaves no container. */
async function create(d: HostDeps, o: CreateContainer): Promise<Machine> {
  const territory = territoryOf(d, o.vmid);
  await removeTraces(d, o.vmid);
  await makeStorage(territory.directory, territory.users?.workload);
  try {
    return await d.lock("ports", async () => {
      const used = portsInUse(d);
      const agentPort = await takeAgentPort(d, o.vmid, used);
      const [gamePort = 0, idePort = 0] = await chooseFreePorts(2, d.portRange, used);
      const createdAt = new Date(d.clock.now()).toISOString();
      const record = { ...o, tags: [], agentPort, gamePort, idePort, createdAt, wanted: "stopped" as const };
      await d.records.write(record);
      const machine: Machine = { record, agent: undefined, watch: undefined };
      d.machines.set(o.vmid, machine);
      return machine;
    });
  } catch (error) {
    d.ports.release(o.vmid);
    await removeStorage(territory.directory);
    throw error;
  }
}

/** The wait for the agent's health is outside of the lock, so that a stop need not wait for it. */
async function start(
  d: HostDeps,
  vmid: number,
  get: (vmid: number) => Machine,
  change: <T>(vmid: number, fn: () => Promise<T>) => Promise<T>,
): Promise<Container> {
  const { machine, agent, launched } = await change(vmid, async () => {
    const found = get(vmid);
    if (isRunning(found)) return { machine: found, agent: found.agent, launched: undefined };
    found.watch?.abort();
    const started = await launch(d, found);
    watch(d, found);
    return { machine: found, agent: started, launched: found.watch };
  });
  const { agentPort: port } = machine.record;
  const verdict = agent
    ? await waitHealthy(agent, { port, timeoutMs: d.startTimeoutMs, clock: d.clock })
    : "gone";
  if (verdict === "ready") return show(machine);
  if (verdict === "late")
    throw new HostError("agent.start_timeout", `the agent did not answer within ${d.startTimeoutMs} ms`);
  // A start that failed leaves the container stopped. One that found it running leaves it to its watch.
  await change(vmid, async () => {
    if (launched && machine.watch === launched) await halt(d, machine, 0);
  });
  throw new HostError("agent.ended", "the agent ended before it answered");
}

async function halt(d: HostDeps, machine: Machine, timeoutMs: number): Promise<void> {
  machine.watch?.abort();
  if (machine.record.wanted === "running") {
    try {
      await save(d, machine, { wanted: "stopped" });
    } catch (error) {
      // A full disk must not keep a container running. Until it is stored, a restart of the host starts it again.
      if (!isErrno(error, "ENOSPC", "EDQUOT")) throw error;
      machine.record = { ...machine.record, wanted: "stopped" };
      d.log.error({ vmid: machine.record.vmid, err: error }, "the stop could not be stored");
    }
  }
  await terminate(d, machine, timeoutMs);
}

async function remove(d: HostDeps, machine: Machine): Promise<void> {
  const { vmid } = machine.record;
  await terminate(d, machine, 0);
  await d.records.condemn(vmid);
  try {
    await removeTraces(d, vmid);
  } catch (error) {
    await d.records.pardon(vmid);
    throw error;
  }
  await d.records.forget(vmid);
  d.machines.delete(vmid);
  d.ports.release(vmid);
}
