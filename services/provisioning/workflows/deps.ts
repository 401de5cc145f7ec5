import type { servers } from "#services/servers/contract.ts";
import type { AgentClient } from "#shared/agent/client.ts";
import type { Client } from "#shared/bus/client.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { StepContext } from "#shared/saga/saga.ts";
import type { HostDriver } from "../adapters/host-driver.ts";

/** The queue of creations. */
export const queue = "provisioning";
/**
 * The queue of what holds a server's operation lock. A creation waits for minutes, and the lock of what waited behind
 * so many of them that they fill the worker would have expired by the time that it begins.
 */
export const lockedQueue = "provisioning-locked";

/** In milliseconds: how long a step tries to reach somebody, and the bounds of those that wait for something. */
export type Patience = {
  giveUpAfterMs: number;
  addressMs: number;
  readyMs: number;
  shutdownMs: number;
};

/** Intervals and bounds in milliseconds. */
export type WorkflowSettings = {
  /** Clones that run at the same time on one storage. */
  clonesPerStorage: number;
  /** A clone slot whose holder has vanished falls free after this; above the bound of one host call. */
  cloneLeaseMs: number;
  /** How long a clone tries to reach somebody, from the moment on that it has a slot. */
  cloneGiveUpMs: number;
  pollMs: number;
  addressMs: number;
  readyMs: number;
  /** How long an agent may take to stop when a creation is undone. */
  stopMs: number;
  /** How long a container may take to stop in order before it is stopped by force. */
  shutdownMs: number;
  /** Between two heartbeats of a server's operation lock; well below its expiry. */
  heartbeatMs: number;
};

/** What the steps of every workflow here work with. */
export type WorkflowDeps = {
  db: Db;
  clock: Clock;
  driver: HostDriver;
  servers: Pick<
    Client<(typeof servers)["routes"]>,
    | "reserve"
    | "release"
    | "activate"
    | "archive"
    | "mergePayload"
    | "findInstance"
    | "setHostDesired"
    | "setAddress"
    | "heartbeat"
    | "unlock"
    | "listInventory"
  >;
  agent(o: {
    address: string;
    token: string;
  }): Pick<AgentClient, "config" | "start" | "stop" | "status" | "ready" | "health">;
  /** Names this installation in every ownership mark. */
  installation: string;
  settings: WorkflowSettings;
};

/** A member of the state that an earlier step has set. */
export function known<S, K extends keyof S>(c: { state: Readonly<S> }, key: K): NonNullable<S[K]> {
  const value = c.state[key];
  if (value === undefined || value === null) throw new Error(`no earlier step has set ${String(key)}`);
  return value;
}

/**
 * Calls `probe` until it answers something, pausing in between. Rejects with `late()` when that takes longer than
 * `limitMs` milliseconds, and when the worker stops or has lost the job.
 */
export async function waitFor<T>(
  c: Pick<StepContext<WorkflowDeps, unknown>, "deps" | "signal">,
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
