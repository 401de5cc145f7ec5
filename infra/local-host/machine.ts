import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#shared/process/clock.ts";
import { isRunning as isAlive, signalProcess } from "#shared/process/proc.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { adoptAgent, type AgentProcess, logFilesOf, spawnAgent } from "./agent-process.ts";
import { killProcesses, type Territory } from "./container-processes.ts";
import type { HeldPorts } from "./held-ports.ts";
import type { Place } from "./place.ts";
import { chooseFreePorts, isFree, type PortRange } from "./ports.ts";
import { HostError } from "./problem.ts";
import type { ContainerRecord, RecordStore } from "./record.ts";
import type { Serial } from "./serial.ts";
import { claimStorage, removeStorage, removeTemporaryFiles } from "./storage.ts";
import { realUserOf, usersOf } from "./users.ts";

/** A container in memory. Every change of it happens under the lock of its vmid. */
export type Machine = {
  record: ContainerRecord;
  agent: AgentProcess | undefined;
  /** Aborting it ends the watch over the agent: nothing starts it again. */
  watch: AbortController | undefined;
};

export type HostDeps = {
  place: Place;
  records: RecordStore;
  machines: Map<number, Machine>;
  lock: Serial<number | "ports">;
  /** The port of every container's agent, from its creation to its removal. */
  ports: HeldPorts;
  /** Resolves to the path of the agent's executable. */
  binary(): Promise<string>;
  clock: Clock;
  log: Logger;
  uidBase: number;
  portRange: PortRange;
  startTimeoutMs: number;
  stopTimeoutMs: number;
  restartMs: readonly number[];
  restartResetMs: number;
  watchMs: number;
};

const pollMs = 10;

export function isRunning(machine: Machine): boolean {
  return machine.agent !== undefined && isAlive(machine.agent.identity);
}

export function territoryOf(d: HostDeps, vmid: number): Territory {
  const directory = join(d.place.containers, String(vmid));
  const users = d.place.isolated ? usersOf(d.uidBase + vmid, directory) : undefined;
  return { directory, users, agents: d.place.agents };
}

/** Removes everything that a container had but its record: the next one of its vmid shows nothing of it. */
export async function removeTraces(d: HostDeps, vmid: number): Promise<void> {
  const territory = territoryOf(d, vmid);
  await killProcesses(territory, d.clock);
  await removeStorage(territory.directory);
  if (territory.users) await removeTemporaryFiles(territory.users.workload);
  for (const log of logFilesOf(logFileOf(d, vmid))) await rm(log, { force: true });
}

const logFileOf = (d: HostDeps, vmid: number) => join(d.place.logs, `${vmid}.log`);

/** Stores a changed record, and only then shows it. */
export async function save(d: HostDeps, machine: Machine, change: Partial<ContainerRecord>): Promise<void> {
  const record = { ...machine.record, ...change };
  await d.records.write(record);
  machine.record = record;
}

/**
 * Starts the agent's process; the caller holds the lock. That it is wanted is stored before it exists, and its
 * identity right after: a host killed in between finds the process by its directory and begins anew.
 */
export async function launch(d: HostDeps, machine: Machine): Promise<AgentProcess> {
  const { vmid, agentToken } = machine.record;
  const territory = territoryOf(d, vmid);
  if (agentToken === undefined)
    throw new HostError("container.token_missing", "the container has no agent token yet");
  const binary = await d.binary();
  if (!(await claimStorage(territory.directory, territory.users?.workload)))
    throw new HostError("container.storage_missing", "the container's directory is gone");
  await killProcesses(territory, d.clock);
  await d.lock("ports", async () => {
    const ports = await usablePorts(d, machine);
    await save(d, machine, { ...ports, wanted: "running", process: undefined, binary });
  });

  const agent = spawnAgent(
    {
      binary,
      directory: territory.directory,
      users: territory.users,
      token: agentToken,
      port: machine.record.agentPort,
      gamePort: machine.record.gamePort,
      packages: d.place.packages,
      logFile: logFileOf(d, vmid),
    },
    d.clock,
  );
  machine.agent = agent;
  try {
    await save(d, machine, { process: agent.identity });
  } catch (error) {
    await terminate(d, machine, 0);
    throw error;
  }
  d.log.info({ vmid, pid: agent.identity.pid, port: machine.record.agentPort }, "agent started");
  return agent;
}

/** Takes over the agent of an earlier host, if it lives. */
export function adopt(d: HostDeps, machine: Machine): boolean {
  const { process: identity, binary, vmid } = machine.record;
  if (!identity || !binary) return false;
  const { directory } = territoryOf(d, vmid);
  machine.agent = adoptAgent(identity, { binary, directory }, d.clock, d.watchMs);
  if (machine.agent) d.log.info({ vmid, pid: identity.pid }, "agent adopted");
  return machine.agent !== undefined;
}

/** Ends the agent: SIGTERM, `timeoutMs` of patience, then SIGKILL for every process of the container. */
export async function terminate(d: HostDeps, machine: Machine, timeoutMs: number): Promise<void> {
  const { agent, record } = machine;
  if (agent) {
    const until = d.clock.now() + timeoutMs;
    if (timeoutMs > 0) signalProcess(agent.identity, "SIGTERM");
    while (isAlive(agent.identity) && d.clock.now() < until) await d.clock.sleep(pollMs);
    if (timeoutMs > 0 && isAlive(agent.identity))
      d.log.warn({ vmid: record.vmid, timeoutMs }, "the agent did not stop in time and is killed");
    signalProcess(agent.identity, "SIGKILL");
  }
  const killed = await killProcesses(territoryOf(d, record.vmid), d.clock);
  if (killed > 0) d.log.warn({ vmid: record.vmid, killed }, "processes outlived their agent and were killed");
  machine.agent = undefined;
}

/** Holds the port of a container's agent, or another one in its place; false when a stranger has it. */
export function holdAgentPort(d: HostDeps, vmid: number, port: number): boolean {
  const { users } = territoryOf(d, vmid);
  return d.ports.hold(vmid, port, users && realUserOf(users));
}

/** Finds a port for a container's agent that is not in `used`, adds it there, and holds it from now on. */
export async function takeAgentPort(d: HostDeps, vmid: number, used: Set<number>): Promise<number> {
  for (;;) {
    const [port = 0] = await chooseFreePorts(1, d.portRange, used);
    used.add(port);
    if (holdAgentPort(d, vmid, port)) return port;
  }
}

/** The container's ports, each replaced when somebody else has it. */
async function usablePorts(d: HostDeps, machine: Machine) {
  const used = portsInUse(d);
  const { vmid, agentPort, gamePort, idePort } = machine.record;
  const usable = async (port: number, isOurs: boolean, take: () => Promise<number>): Promise<number> => {
    if (isOurs) return port;
    const instead = await take();
    used.add(instead);
    d.log.warn({ vmid, port, instead }, "a port was taken; another is used");
    return instead;
  };
  const takeFree = async () => (await chooseFreePorts(1, d.portRange, used))[0] ?? 0;
  return {
    agentPort: await usable(agentPort, holdAgentPort(d, vmid, agentPort), () => takeAgentPort(d, vmid, used)),
    gamePort: await usable(gamePort, await isFree(gamePort), takeFree),
    idePort: await usable(idePort, await isFree(idePort), takeFree),
  };
}

/** Every port that a container has, whether it runs or not. */
export function portsInUse(d: HostDeps): Set<number> {
  return new Set(
    [...d.machines.values()].flatMap(({ record }) => [record.agentPort, record.gamePort, record.idePort]),
  );
}
