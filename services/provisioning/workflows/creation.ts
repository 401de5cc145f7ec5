import type { servers } from "#services/servers/contract.ts";
import type { AgentClient } from "#shared/agent/client.ts";
import type { Client } from "#shared/bus/client.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Step, StepContext } from "#shared/saga/saga.ts";
import type { HostAddress, HostDriver } from "../adapters/host-driver.ts";
import type { Engine } from "../catalog.ts";
import type { Owner } from "../ownership.ts";

/** What a customer ordered, as the steps of its creation read it. */
export type Order = Engine & {
  accountId: string;
  instanceId: string;
  name: string;
  memoryMiB: number;
};

/** The order and what its steps have found out so far; kept in Postgres between steps. It holds no secret. */
export type Creation = Order & {
  vmid?: number;
  /** The public id, once it resolves. */
  serverId?: string;
  hostname?: string;
  node?: string;
  address?: HostAddress;
};

/** Intervals and bounds in milliseconds. */
export type CreationSettings = {
  /** Clones that run at the same time on one storage. */
  clonesPerStorage: number;
  /** A clone slot whose holder has vanished falls free after this; above the bound of one host call. */
  cloneLeaseMs: number;
  pollMs: number;
  addressMs: number;
  readyMs: number;
  /** How long an agent may take to stop when a creation is undone. */
  stopMs: number;
};

export type CreationDeps = {
  db: Db;
  clock: Clock;
  driver: HostDriver;
  servers: Pick<
    Client<(typeof servers)["routes"]>,
    "reserve" | "release" | "activate" | "archive" | "mergePayload" | "findInstance"
  >;
  agent(o: { address: string; token: string }): Pick<AgentClient, "config" | "start" | "status" | "ready">;
  /** Names this installation in every ownership mark. */
  installation: string;
  settings: CreationSettings;
};

export type CreationStep = Step<CreationDeps, Creation>;
export type CreationContext = StepContext<CreationDeps, Creation>;

export const ownerOf = ({ deps, state, operationId }: CreationContext): Owner => ({
  installation: deps.installation,
  instanceId: state.instanceId,
  operationId,
});

/** A member of the state that an earlier step has set. */
export function known<K extends keyof Creation>(c: CreationContext, key: K): NonNullable<Creation[K]> {
  const value = c.state[key];
  if (value === undefined || value === null) throw new Error(`no earlier step has set ${key}`);
  return value;
}

/**
 * Calls `probe` until it answers something, pausing in between. Rejects with `late()` when that takes longer than
 * `limitMs` milliseconds, and when the worker stops or has lost the job.
 */
export async function waitFor<T>(
  c: CreationContext,
  limitMs: number,
  probe: () => Promise<T | undefined>,
  late: () => Error,
): Promise<T> {
  const { clock, settings } = c.deps;
  const deadline = clock.now() + limitMs;
  for (;;) {
    c.signal.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    if (clock.now() >= deadline) throw late();
    await clock.sleep(settings.pollMs, c.signal);
  }
}
