import type { AgentState, AgentStatus } from "#shared/agent/contract.ts";
import type { ServerBillingState } from "#services/billing/contract.ts";
import type { Observation } from "./live/observation.ts";
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

type Wishes = Pick<ServerRecord, "ctype" | "desired" | "hostDesired" | "billing">;

/**
 * What should run; nothing else may decide it. A game: what the customer wants of it and of its host, unless the account
 * is suspended. A dev server is its host, which a suspension leaves alone: its files stay readable.
 */
export function effectiveDesired(server: Wishes): Desired {
  if (server.hostDesired === "stopped") return "stopped";
  if (server.ctype === "dev") return "running";
  return isSuspended(server) ? "stopped" : server.desired;
}

/** States in which no game runs and none will start by itself. */
export const isDown = (state: AgentState): boolean => state === "idle" || state === "error";

/** What an observation says about the present. */
export type Present = {
  host: "online" | "offline" | "unknown";
  agent: "online" | "offline";
  /** The agent's detail; null when it is not known at present. */
  status: AgentStatus | null;
  /** The last answer of `/ready` was yes, nothing has come after it, and it is young enough. */
  agentReady: boolean;
};

export function present(
  seen: Observation | undefined,
  { now, ttlMs }: Moment,
  hostDesired: Desired = "running",
): Present {
  // Of a host that was stopped, no news is the news that it is.
  if (!seen || now - seen.endedAt > ttlMs) {
    const host = hostDesired === "stopped" ? "offline" : "unknown";
    return { host, agent: "offline", status: null, agentReady: false };
  }
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
/** Operations on the container: what they do is true also while nobody answers there. */
const hostWords: Record<string, Word> = {
  "host.start": "starting",
  "host.stop": "stopping",
  "host.restart": "restarting",
};

/**
 * The one word for a server, from its four axes. In this order: what takes it away from its customer, what is being
 * done to it, whether it is there at all, and then what the agent says. A server whose host its customer has stopped
 * is `stopped`, and `offline` only if it should be there. `idle` is a game that should run and does not; a running one
 * is `starting` until it is ready.
 */
export function statusWord(server: ServerRecord, { host, status, agentReady }: Present): Word {
  const busy = server.lock ? words[server.lock.type] : undefined;
  if (server.removing || busy === "deleting") return "deleting";
  if (isSuspended(server)) return "suspended";
  const hostBusy = server.lock ? hostWords[server.lock.type] : undefined;
  if (hostBusy) return hostBusy;
  if (host !== "online") return server.hostDesired === "stopped" ? "stopped" : host;
  if (server.ctype === "dev") return "running";
  if (busy) return busy;
  if (!status) return "unknown";
  switch (status.state) {
    case "running":
      return agentReady ? "running" : "starting";
    case "idle":
      return effectiveDesired(server) === "running" ? "idle" : "stopped";
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
  const shouldRun = effectiveDesired(server) === "running" && !isSuspended(server) && !server.removing;
  return shouldRun && agentReady && addressOf(server) !== null;
}

/** What the customer wants of the server itself: of a game, or of the container that a dev server is. */
export function wishOf(server: Pick<ServerRecord, "ctype" | "desired" | "hostDesired">): Desired {
  return server.ctype === "dev" ? server.hostDesired : server.desired;
}

/** `value[key]` where `value` is an object. */
export function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
