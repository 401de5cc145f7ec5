import type { AgentStatus } from "#shared/agent/contract.ts";
import type { ServerBillingState } from "#services/billing/contract.ts";
import type { Observation } from "./live/observe.ts";
import type { Desired, ServerRecord } from "./store.ts";

// The four axes of a server are kept apart: what is desired, what is observed, what billing says, and which operation
// runs. Everything that a client sees in one word is derived from them here, and stored nowhere.

export type Moment = {
  /** Milliseconds since the epoch. */
  now: number;
  /** Age in milliseconds after which an observation says nothing about the present. */
  ttlMs: number;
};

const closed: readonly ServerBillingState[] = ["suspended_shutdown", "retained"];

export const isSuspended = ({ billing }: Pick<ServerRecord, "billing">): boolean =>
  billing !== null && closed.includes(billing.serverBillingState);

/** What should run: what the customer wants, unless the account is suspended. Nothing else may decide it. */
export function effectiveDesired(server: Pick<ServerRecord, "desired" | "billing">): Desired {
  return isSuspended(server) ? "stopped" : server.desired;
}

/** What an observation says about the present. */
export type Present = {
  host: "online" | "offline" | "unknown";
  agent: "online" | "offline";
  /** The agent's detail; null when it is not known at present. */
  status: AgentStatus | null;
  /** The last answer of `/ready` was yes, nothing has come after it, and it is young enough. */
  agentReady: boolean;
};

export function present(seen: Observation | undefined, { now, ttlMs }: Moment): Present {
  if (!seen || now - seen.endedAt > ttlMs)
    return { host: "unknown", agent: "offline", status: null, agentReady: false };
  return {
    host: seen.present ? "online" : "offline",
    agent: seen.status ? "online" : "offline",
    status: seen.status,
    agentReady: seen.ready.ready,
  };
}

export type Word =
  | "suspended"
  | "deleting"
  | "offline"
  | "unknown"
  | "installing"
  | "restarting"
  | "starting"
  | "stopping"
  | "running"
  | "idle"
  | "stopped"
  | "crashed"
  | "error";

const words: Record<string, Word> = {
  "server.delete": "deleting",
  "power.start": "starting",
  "power.stop": "stopping",
  "power.restart": "restarting",
};

/**
 * The one word for a server, from its four axes. In this order: what takes it away from its customer, what is being
 * done to it, whether it is there at all, and then what the agent says. `idle` is a game that should run and does
 * not; a running one is `starting` until it is ready.
 */
export function statusWord(server: ServerRecord, { host, status, agentReady }: Present): Word {
  const busy = server.lock ? words[server.lock.type] : undefined;
  if (busy === "deleting") return busy;
  if (isSuspended(server)) return "suspended";
  if (host !== "online") return host;
  if (server.ctype === "dev") return "running";
  if (busy) return busy;
  if (!status) return "unknown";
  switch (status.state) {
    case "running":
      return agentReady ? "running" : "starting";
    case "idle":
      return server.desired === "running" ? "idle" : "stopped";
    default:
      return status.state;
  }
}

/** Where players or browsers connect, once the edge has published it: `host:port`. */
export function addressOf({ payload }: Pick<ServerRecord, "payload">): string | null {
  const address = member(payload["edge"], "address");
  return typeof address === "string" ? address : null;
}

/** Whether somebody who connects now is let in: it should run, it is ready, and the world knows the way. */
export function isConnectable(server: ServerRecord, { agentReady }: Present): boolean {
  return effectiveDesired(server) === "running" && agentReady && addressOf(server) !== null;
}

/** `value[key]` where `value` is an object. */
export function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
