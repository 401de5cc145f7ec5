import type { z } from "zod";
import { addressOf, isConnectable, member, type Moment, present, statusWord, wishOf } from "./axes.ts";
import type { ServerRow, ServerStatus } from "./contract.ts";
import type { Observation } from "./live/observation.ts";
import type { LockRecord, ServerRecord } from "./store.ts";

/** A server as lists show it. Pure: no I/O, no clock. */
export function toRow(
  server: ServerRecord,
  seen: Observation | undefined,
  at: Moment,
): z.input<typeof ServerRow> {
  const now = present(seen, at, server.hostDesired);
  const online = now.host === "online" ? "online" : "offline";
  return {
    ...identity(server),
    category: server.ctype === "game" ? "GAME" : "DEV",
    runtime: server.ctype === "dev" ? server.engineType : engine(server, "runtime"),
    flavor: engine(server, "variant"),
    version: server.engineVersion,
    hostStatus: online,
    status: statusWord(server, now),
    agentStatus: now.agent,
    ip: server.ip,
    ready: now.agentReady,
    agentReady: now.agentReady,
    connectable: isConnectable(server, now),
    ...flatOperation(server.lock),
    maintenance: maintenance(server),
    installStep: now.status?.install_step ?? null,
    crashCount: now.status?.crash?.count ?? 0,
    lastSeen: time(seen?.seenAt),
    billingState: server.billing?.serverBillingState ?? "allowed",
  };
}

/** The merged live status of a server. Pure: no I/O, no clock. */
export function toStatus(
  server: ServerRecord,
  seen: Observation | undefined,
  at: Moment,
): z.input<typeof ServerStatus> {
  const now = present(seen, at, server.hostDesired);
  const { status } = now;
  return {
    ...identity(server),
    desired: wishOf(server),
    status: statusWord(server, now),
    host: {
      status: now.host,
      desired: server.hostDesired,
      node: server.node,
      observedAt: time(seen?.endedAt),
    },
    agent: {
      status: now.agent,
      state: status?.state ?? null,
      version: seen?.version?.name ?? null,
      observedAt: time(seen?.endedAt),
      ...agentError(seen),
    },
    agentReady: now.agentReady,
    readiness: readiness(seen, now.agentReady, at),
    connectable: isConnectable(server, now),
    ...(now.agentReady && seen?.players ? { players: seen.players } : {}),
    operation: server.lock && toOperation(server.lock),
    ...flatOperation(server.lock),
    billing: {
      status: server.billing?.billingStatus ?? "unknown",
      serverState: server.billing?.serverBillingState ?? "allowed",
    },
    proxy: proxyOf(server),
    crash: status?.crash ? crash(status.crash, status.state) : null,
    maintenance: maintenance(server),
  };
}

/** The operation that holds a lock, as a status and `servers.busy` show it. */
export function toOperation(lock: LockRecord) {
  return {
    id: lock.operationId,
    type: lock.type,
    phase: lock.phase,
    startedAt: lock.lockedAt.toISOString(),
    message: lock.message,
    statusUrl: `/api/operations/${lock.operationId}`,
  };
}

function identity(server: ServerRecord) {
  const { vmid, instanceId, name, hostname } = server;
  const type = engine(server, "game") ?? server.engineType;
  return { id: String(vmid), vmid, instanceId, name, hostname, type, address: addressOf(server) };
}

function flatOperation(lock: LockRecord | null) {
  return {
    operationInProgress: lock !== null,
    operationType: lock?.type ?? null,
    operationStartedAt: lock?.lockedAt.toISOString() ?? null,
    operationMessage: lock?.message ?? null,
  };
}

function readiness(seen: Observation | undefined, ready: boolean, { now, ttlMs }: Moment) {
  const answeredAt = seen?.ready.answeredAt ?? null;
  return {
    source: "agent:/ready" as const,
    ready,
    reason: seen?.ready.reason ?? null,
    observedAt: time(answeredAt),
    ageMs: answeredAt === null ? null : Math.max(0, now - answeredAt),
    stale: answeredAt === null || now - answeredAt > ttlMs,
  };
}

function agentError(seen: Observation | undefined): { error?: string } {
  const said = seen?.status?.error?.message ?? seen?.error;
  return said ? { error: said } : {};
}

type Seen = NonNullable<Observation["status"]>;

function crash(seen: NonNullable<Seen["crash"]>, state: Seen["state"]) {
  return {
    count: seen.count,
    time: seen.time,
    exitCode: seen.exit_code,
    signal: seen.signal,
    uptime: seen.uptime,
    logTail: seen.log_tail,
    class: seen.class,
    // Of a game that was stopped since, an agent may still name the start that it had in mind.
    nextStartAt: state === "crashed" ? seen.next_start_at : null,
  };
}

/** A fact about the engine that was noted when the server was made. */
function engine({ payload }: ServerRecord, key: string): string | null {
  const value = member(payload["engine"], key);
  return typeof value === "string" ? value : null;
}

/** What the proxy said about the server; other members of the payload are never mixed into it. */
function proxyOf({ payload }: ServerRecord): Record<string, unknown> | null {
  const { proxy } = payload;
  return typeof proxy === "object" && proxy !== null ? { ...proxy } : null;
}

const maintenance = ({ payload }: ServerRecord): boolean => payload["maintenance"] === true;

const time = (ms: number | null | undefined): string | null =>
  ms == null ? null : new Date(ms).toISOString();
