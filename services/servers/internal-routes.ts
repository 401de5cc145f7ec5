import { z } from "zod";
import { AgentAccess, ServerAction, ServerFacts } from "#shared/contract/authority.ts";
import { authorityErrors, notFound, stale } from "./errors.ts";
import { Ctype, Desired, Instance, InventoryRange, InventoryRow } from "./schemas.ts";

// What other services ask of this one; none of it has an address on HTTP.

const internalCall = { auth: "service", guard: "none", idempotency: "natural", timeoutMs: 3_000 } as const;
const decision = { ...internalCall, timeoutMs: 2_000 } as const;

const authorizeRequest = z.object({
  serverId: z.string().max(64),
  action: ServerAction,
  /** Id for the lock of an exclusive action. */
  operationId: z.string().optional(),
});
/** The lock of an operation, as its holder proves it. */
const held = { instanceId: z.uuid(), operationId: z.string(), fence: z.int() };
const byInstance = { operationId: z.string(), instanceId: z.uuid() };

export const internalRoutes = {
  authorize: {
    subject: "rpc.servers.v1.server.authorize",
    summary: "May this actor do this to this server? Takes the operation lock of exclusive actions",
    policy: decision,
    request: authorizeRequest,
    reply: ServerFacts,
    errors: authorityErrors,
  },
  authorizeAgent: {
    subject: "rpc.servers.v1.server.authorize-agent",
    summary: "As authorize, and how to reach the server's agent",
    policy: decision,
    request: authorizeRequest,
    reply: ServerFacts,
    errors: authorityErrors,
  },
  unlock: {
    subject: "rpc.servers.v1.lock.release",
    summary: "Give back an operation lock; only its holder can",
    policy: internalCall,
    request: z.object(held),
    reply: z.object({ released: z.boolean() }),
    errors: {},
  },
  heartbeat: {
    subject: "rpc.servers.v1.lock.heartbeat",
    summary: "Keep an operation lock and say what is being done under it",
    policy: internalCall,
    request: z.object({
      ...held,
      /** Type of the operation, as the status shows it: `host.stop`, `server.delete` … */
      type: z.string(),
      /** Never missing: a lock without one counts as that of an operation that has not begun, and expires sooner. */
      phase: z.string(),
      message: z.string().nullable(),
    }),
    reply: z.object({ held: z.boolean() }),
    errors: {},
  },
  setHostDesired: {
    subject: "rpc.servers.v1.instance.desire-host",
    summary: "Write whether the container should run, under the lock of a host operation",
    policy: internalCall,
    request: z.object({ ...held, desired: Desired }),
    reply: z.object({ version: z.int() }),
    errors: stale,
  },
  setAddress: {
    subject: "rpc.servers.v1.instance.set-address",
    summary: "Write where a container that was started answers, under the lock of a host operation",
    policy: internalCall,
    request: z.object({
      ...held,
      ip: z.string().nullable(),
      /** Of its agent: `http://host:port`. */
      agentAddress: z.url(),
    }),
    reply: z.object({ version: z.int() }),
    errors: stale,
  },
  reserve: {
    subject: "rpc.servers.v1.vmid.reserve",
    summary: "Reserve a VMID for a new instance; the same operation always gets the same one",
    policy: internalCall,
    request: z.object({
      ...byInstance,
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
      ...byInstance,
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
    request: z.object({
      ...byInstance,
      reason: z.string().max(200),
      /** Its teardown begins: it is in the archive, and stays visible as being deleted until a call without this. */
      keepRow: z.boolean().default(false),
    }),
    reply: z.object({ archived: z.boolean() }),
    errors: {},
  },
  release: {
    subject: "rpc.servers.v1.vmid.release",
    summary: "Give a VMID back; it rests before it is handed out again",
    policy: internalCall,
    request: z.object(byInstance),
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
    errors: {
      ...notFound,
      ...stale,
      event_in_future: { status: 422, title: "The event is dated too far in the future" },
    },
  },
  findInstance: {
    subject: "rpc.servers.v1.instance.find",
    summary: "One instance by its uuid: as it lives, and as it was archived",
    policy: { ...internalCall, idempotency: "safe" },
    request: z.object({ instanceId: z.uuid() }),
    reply: z.object({
      instance: Instance.nullable(),
      archived: z.boolean(),
      archivedInstance: Instance.nullable(),
    }),
    errors: {},
  },
  listInventory: {
    subject: "rpc.servers.v1.vmid.list",
    summary: "Every VMID that is not free, in order, page by page, and the ranges that are handed out from",
    policy: { ...internalCall, idempotency: "safe" },
    request: z.object({
      /** The `next` of the page before. */
      after: z.int().optional(),
      limit: z.int().min(1).max(1_000).default(1_000),
    }),
    reply: z.object({
      rows: z.array(InventoryRow),
      next: z.int().nullable(),
      ranges: z.array(InventoryRange),
    }),
    errors: {},
  },
} as const;
