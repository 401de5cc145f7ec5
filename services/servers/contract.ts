import { z } from "zod";
import { AgentAccess, ServerAction, ServerFacts } from "#shared/contract/authority.ts";
import { defineContract } from "#shared/contract/define.ts";
import { Operation } from "#shared/contract/operation.ts";
import { gated } from "#services/billing/contract.ts";
import { Ctype, Instance, ServerRow, ServerStatus } from "./schemas.ts";

export { Instance, Readiness, ServerRow, ServerStatus } from "./schemas.ts";

/** The public id of a server in a URL: its VMID, which always means the instance that is alive now. */
export const ServerId = z.string().regex(/^[1-9]\d{0,8}$/, "must be the number of a server");
const byId = z.object({ id: ServerId });
const operationById = z.object({ operationId: z.string().regex(/^[a-z]{3}_[0-9a-z]{10,40}$/) });

const accepted = z.object({ ok: z.literal(true), operation: Operation });
const safe = { auth: "session", guard: "none", idempotency: "safe", timeoutMs: 3_000 } as const;
const power = {
  auth: "session",
  guard: "none",
  idempotency: "natural",
  timeoutMs: 12_000,
  agent: true,
} as const;
const internalCall = { auth: "service", guard: "none", idempotency: "natural", timeoutMs: 3_000 } as const;
const example = { id: "5000" };

const notFound = { not_found: { status: 404, title: "There is no such server" } } as const;
const stale = { stale: { status: 409, title: "A newer change came first" } } as const;
/** The errors of `authorize`: every route with `policy.server` may end with them. */
export const authorityErrors = {
  ...notFound,
  busy: {
    status: 409,
    title: "Another operation is running on this server",
    retryable: true,
    details: z.object({ operation: z.record(z.string(), z.unknown()) }),
  },
  ...gated,
} as const;

const authorizeRequest = z.object({
  serverId: z.string().max(64),
  action: ServerAction,
  /** Id for the lock of an exclusive action. */
  operationId: z.string().optional(),
});

const gamePower = (action: "start" | "stop" | "restart") =>
  ({
    http: {
      method: "POST",
      path: `/api/servers/:id/game/${action}`,
      success: 202,
      kind: "json",
    },
    policy: { ...power, server: `power.${action}` },
    request: byId,
    reply: accepted,
    errors: {
      not_a_game: { status: 409, title: "This is not a game server" },
    },
    example,
  }) as const;

export const servers = defineContract({
  service: "servers",
  version: "1.0.0",
  operations: "srv",
  authority: { plain: "authorize", agent: "authorizeAgent", unlock: "unlock" },
  calls: ["billing.getAccount"],
  consumes: ["billing.accountChanged"],
  routes: {
    listServers: {
      subject: "rpc.servers.v1.server.list",
      summary: "The account's servers, as last observed",
      http: { method: "GET", path: "/api/servers", success: 200, kind: "json" },
      policy: safe,
      request: z.object({}),
      reply: z.object({ servers: z.array(ServerRow) }),
      errors: {},
      example: {},
    },
    getServer: {
      subject: "rpc.servers.v1.server.get",
      summary: "One server, as last observed",
      http: { method: "GET", path: "/api/servers/:id", success: 200, kind: "json" },
      policy: { ...safe, server: "server.read" },
      request: byId,
      reply: ServerRow,
      errors: {},
      example,
    },
    getStatus: {
      subject: "rpc.servers.v1.server.status",
      summary: "The merged live status of one server",
      http: { method: "GET", path: "/api/servers/:id/status", success: 200, kind: "json" },
      policy: { ...safe, server: "server.read", agent: true },
      request: byId,
      reply: ServerStatus,
      errors: {},
      example,
    },
    startGame: { subject: "rpc.servers.v1.game.start", summary: "Start the game", ...gamePower("start") },
    stopGame: { subject: "rpc.servers.v1.game.stop", summary: "Stop the game", ...gamePower("stop") },
    restartGame: {
      subject: "rpc.servers.v1.game.restart",
      summary: "Restart the game",
      ...gamePower("restart"),
    },
    getOperation: {
      subject: "rpc.servers.v1.operation.get",
      summary: "One operation of the account, also after its server is gone",
      http: {
        method: "GET",
        path: "/api/operations/:operationId",
        success: 200,
        kind: "json",
        when: { param: "operationId", prefix: "srv_" },
      },
      policy: safe,
      request: operationById,
      reply: Operation,
      errors: { operation_not_found: { status: 404, title: "There is no such operation" } },
      example: { operationId: "srv_00000000000000000000000000" },
    },
    authorize: {
      subject: "rpc.servers.v1.server.authorize",
      summary: "May this actor do this to this server? Takes the operation lock of exclusive actions",
      policy: { ...internalCall, timeoutMs: 2_000 },
      request: authorizeRequest,
      reply: ServerFacts,
      errors: authorityErrors,
    },
    authorizeAgent: {
      subject: "rpc.servers.v1.server.authorize-agent",
      summary: "As authorize, and how to reach the server's agent",
      policy: { ...internalCall, timeoutMs: 2_000 },
      request: authorizeRequest,
      reply: ServerFacts,
      errors: authorityErrors,
    },
    unlock: {
      subject: "rpc.servers.v1.lock.release",
      summary: "Give back an operation lock; only its holder can",
      policy: internalCall,
      request: z.object({ instanceId: z.uuid(), operationId: z.string(), fence: z.int() }),
      reply: z.object({ released: z.boolean() }),
      errors: {},
    },
    heartbeat: {
      subject: "rpc.servers.v1.lock.heartbeat",
      summary: "Keep an operation lock and say what is being done under it",
      policy: internalCall,
      request: z.object({
        instanceId: z.uuid(),
        operationId: z.string(),
        fence: z.int(),
        type: z.string(),
        phase: z.string().nullable(),
        message: z.string().nullable(),
      }),
      reply: z.object({ held: z.boolean() }),
      errors: {},
    },
    reserve: {
      subject: "rpc.servers.v1.vmid.reserve",
      summary: "Reserve a VMID for a new instance; the same operation always gets the same one",
      policy: internalCall,
      request: z.object({
        operationId: z.string(),
        instanceId: z.uuid(),
        customerId: z.string(),
        ctype: Ctype,
        /** VMIDs that turned out to be somebody else's at the host. */
        exclude: z.array(z.int()).default([]),
      }),
      reply: z.object({ vmid: z.int(), instanceId: z.uuid() }),
      errors: { range_exhausted: { status: 503, title: "No server number is free", retryable: true } },
    },
    activate: {
      subject: "rpc.servers.v1.instance.activate",
      summary: "Make a reserved instance a live server",
      policy: internalCall,
      request: z.object({
        operationId: z.string(),
        instanceId: z.uuid(),
        vmid: z.int(),
        customerId: z.string(),
        ctype: Ctype,
        name: z.string(),
        hostname: z.string(),
        node: z.string(),
        ip: z.string().nullable(),
        agent: AgentAccess,
        engineType: z.string(),
        engineVersion: z.string().nullable(),
        payload: z.record(z.string(), z.unknown()),
      }),
      reply: Instance,
      errors: { not_reserved: { status: 409, title: "This VMID is not reserved for this instance" } },
    },
    archive: {
      subject: "rpc.servers.v1.instance.archive",
      summary: "Take a server out of service: its row moves to the archive, once",
      policy: internalCall,
      request: z.object({ operationId: z.string(), instanceId: z.uuid(), reason: z.string().max(200) }),
      reply: z.object({ archived: z.boolean() }),
      errors: {},
    },
    release: {
      subject: "rpc.servers.v1.vmid.release",
      summary: "Give a VMID back; it rests before it is handed out again",
      policy: internalCall,
      request: z.object({ operationId: z.string(), instanceId: z.uuid() }),
      reply: z.object({ released: z.boolean() }),
      errors: { still_live: { status: 409, title: "The instance is still a live server" } },
    },
    mergePayload: {
      subject: "rpc.servers.v1.payload.merge",
      summary: "Replace one key of a server's payload, unless a newer event has written it",
      policy: internalCall,
      request: z.object({
        instanceId: z.uuid(),
        key: z.enum(["edge", "proxy", "engine"]),
        value: z.record(z.string(), z.unknown()).nullable(),
        eventAt: z.iso.datetime(),
      }),
      reply: z.object({ version: z.int() }),
      errors: { ...notFound, ...stale },
    },
    findInstance: {
      subject: "rpc.servers.v1.instance.find",
      summary: "One live instance by its uuid",
      policy: { ...internalCall, idempotency: "safe" },
      request: z.object({ instanceId: z.uuid() }),
      reply: z.object({ instance: Instance.nullable(), archived: z.boolean() }),
      errors: {},
    },
  },
  events: {
    instanceChanged: {
      subject: "evt.servers.v1.instance.changed",
      summary: "A server came to life or one of its recorded facts changed",
      data: Instance,
    },
    instanceArchived: {
      subject: "evt.servers.v1.instance.archived",
      summary: "A server was taken out of service",
      data: Instance,
    },
  },
});
