import { z } from "zod";
import { Players } from "#shared/agent/contract.ts";
import { ServerBillingState } from "#services/billing/contract.ts";
import { Observation } from "./live/observation.ts";

// The shapes that the contract speaks of: rows, statuses, and the state that events and broadcasts carry.

/** The public id of a server in a URL: its VMID, which always means the instance that is alive now. */
export const ServerId = z.string().regex(/^[1-9]\d{0,8}$/, "must be the number of a server");

export const Ctype = z.enum(["game", "dev"]);
const OnOff = z.enum(["online", "offline"]);
export const Desired = z.enum(["running", "stopped"]);

/** The operation that holds a server's lock, flat, as list rows carry it. */
const flatOperation = {
  operationInProgress: z.boolean(),
  operationType: z.string().nullable(),
  operationStartedAt: z.iso.datetime().nullable(),
  operationMessage: z.string().nullable(),
};

export const ServerRow = z.object({
  id: z.string(),
  vmid: z.int(),
  instanceId: z.uuid(),
  name: z.string(),
  hostname: z.string(),
  category: z.enum(["GAME", "DEV"]),
  type: z.string(),
  runtime: z.string().nullable(),
  flavor: z.string().nullable(),
  version: z.string().nullable(),
  hostStatus: OnOff,
  status: z.string(),
  agentStatus: OnOff,
  ip: z.string().nullable(),
  ready: z.boolean(),
  agentReady: z.boolean(),
  connectable: z.boolean(),
  ...flatOperation,
  maintenance: z.boolean(),
  installStep: z.string().nullable(),
  crashCount: z.int(),
  lastSeen: z.iso.datetime().nullable(),
  billingState: ServerBillingState,
  /** `host:port` where a player or a browser connects; null until it is known. */
  address: z.string().nullable(),
});

export const Readiness = z.object({
  source: z.literal("agent:/ready"),
  ready: z.boolean(),
  reason: z.string().nullable(),
  observedAt: z.iso.datetime().nullable(),
  ageMs: z.number().nullable(),
  /** The sample is older than its time to live, or there is none. */
  stale: z.boolean(),
});

export const ServerStatus = z.object({
  id: z.string(),
  vmid: z.int(),
  instanceId: z.uuid(),
  name: z.string(),
  hostname: z.string(),
  type: z.string(),
  address: z.string().nullable(),
  desired: Desired,
  status: z.string(),
  host: z.object({
    status: z.enum(["online", "offline", "unknown"]),
    /** Whether its customer wants the container itself to run. */
    desired: Desired,
    node: z.string(),
    observedAt: z.iso.datetime().nullable(),
  }),
  agent: z.object({
    status: OnOff,
    state: z.string().nullable(),
    version: z.string().nullable(),
    observedAt: z.iso.datetime().nullable(),
    error: z.string().optional(),
  }),
  agentReady: z.boolean(),
  readiness: Readiness,
  connectable: z.boolean(),
  players: z.object({ online: z.int(), max: z.int() }).optional(),
  operation: z
    .object({
      id: z.string(),
      type: z.string(),
      phase: z.string().nullable(),
      startedAt: z.iso.datetime(),
      message: z.string().nullable(),
      statusUrl: z.string(),
    })
    .nullable(),
  ...flatOperation,
  billing: z.object({ status: z.string(), serverState: ServerBillingState }),
  proxy: z.record(z.string(), z.unknown()).nullable(),
  crash: z.record(z.string(), z.unknown()).nullable(),
  maintenance: z.boolean(),
});

/** A live instance, in full: the state that `instanceChanged` carries. */
export const Instance = z.object({
  instanceId: z.uuid(),
  vmid: z.int(),
  customerId: z.string(),
  ctype: Ctype,
  name: z.string(),
  hostname: z.string(),
  node: z.string(),
  ip: z.string().nullable(),
  engineType: z.string(),
  engineVersion: z.string().nullable(),
  desired: Desired,
  hostDesired: Desired,
  /** Its teardown has begun; it stays listed until nothing of it is left. */
  removing: z.boolean(),
  payload: z.record(z.string(), z.unknown()),
  version: z.int(),
});

export const PlayerList = Players.extend({ ok: z.literal(true) });

/** One VMID that is not free, and whose it is or was. */
export const InventoryRow = z.object({
  vmid: z.int(),
  instanceId: z.uuid().nullable(),
  customerId: z.string().nullable(),
  ctype: Ctype,
  /** Where the container is recorded to be; null while none is. */
  node: z.string().nullable(),
  hostname: z.string().nullable(),
  /**
   * reserved: being made · live · removing: live, its teardown has begun · archived: no server any more, its teardown
   * has not ended · resting: given back · foreign: found taken at the host
   */
  state: z.enum(["reserved", "live", "removing", "archived", "resting", "foreign"]),
});

/** VMIDs of one type, both ends included. */
export const InventoryRange = z.object({ ctype: Ctype, first: z.int(), last: z.int() });

/** `by` is the replica that tells, so that it does not listen to itself. */
export const ObservationMade = z.object({ by: z.string(), instanceId: z.uuid(), observation: Observation });
export const RecordsChanged = z.object({
  by: z.string(),
  instanceIds: z.array(z.string()),
  customerIds: z.array(z.string()),
});
