import { z } from "zod";
import { auditRecorded } from "#shared/contract/audit.ts";
import { defineContract } from "#shared/contract/define.ts";
import { Operation } from "#shared/contract/operation.ts";
import { gated } from "#services/billing/contract.ts";
import { ServerId } from "#services/servers/contract.ts";
import { Choosable, CreateServer, Inventory, quotaExceeded } from "./schemas.ts";

export { CreateServer, Inventory } from "./schemas.ts";

const accepted = z.object({
  ok: z.literal(true),
  operationId: z.string(),
  statusUrl: z.string(),
  requestId: z.string(),
  operation: Operation,
});
const safe = { auth: "session", guard: "none", idempotency: "safe", timeoutMs: 3_000 } as const;
const hostRefused = { host_refused: { status: 502, title: "The host refused" } } as const;
const first = { since: "2026-01-01", reason: "address of the first Portal" } as const;

const hostPower = (action: "start" | "stop" | "restart") =>
  ({
    subject: `rpc.provisioning.v1.host.${action}`,
    http: { method: "POST", path: `/api/servers/:id/host/${action}`, success: 202, kind: "json" },
    policy: {
      auth: "session",
      guard: "none",
      server: `power.${action}`,
      scope: "servers:power",
      idempotency: "natural",
      timeoutMs: 5_000,
    },
    request: z.object({ id: ServerId }),
    reply: z.object({ ok: z.literal(true), operation: Operation }),
    errors: {},
    example: { id: "5000" },
  }) as const;

export const provisioning = defineContract({
  service: "provisioning",
  version: "1.0.0",
  operations: "prv",
  calls: [
    "billing.getAccount",
    "servers.reserve",
    "servers.activate",
    "servers.archive",
    "servers.release",
    "servers.mergePayload",
    "servers.findInstance",
    "servers.setHostDesired",
    "servers.setAddress",
    "servers.listInventory",
    "servers.heartbeat",
    "servers.unlock",
  ],
  consumes: ["billing.accountChanged"],
  routes: {
    createServer: {
      subject: "rpc.provisioning.v1.server.create",
      summary: "Create a server; the work goes on as an operation",
      http: {
        method: "POST",
        path: "/api/servers",
        success: 202,
        kind: "json",
        aliases: [{ method: "POST", path: "/api/instances", ...first }],
      },
      policy: {
        auth: "session",
        guard: "none",
        scope: "servers:create",
        idempotency: "key",
        timeoutMs: 5_000,
      },
      request: CreateServer,
      reply: accepted,
      errors: {
        ...gated,
        ...quotaExceeded,
        unknown_engine: { status: 422, title: "The catalogue has no such game, variant, version or runtime" },
        engine_unavailable: { status: 422, title: "This installation cannot run that variant or runtime" },
        addons_unavailable: { status: 422, title: "This installation has no add-ons" },
      },
      example: {
        ctype: "game",
        game: "minecraft",
        variant: "flying-squid",
        version: "1.16.5",
        name: "my world",
      },
    },
    deleteServer: {
      subject: "rpc.provisioning.v1.server.delete",
      summary: "Delete a stopped server; the work goes on as an operation",
      http: {
        method: "DELETE",
        path: "/api/servers/:id",
        success: 202,
        kind: "json",
        aliases: [{ method: "DELETE", path: "/api/containers/:id", ...first }],
      },
      policy: {
        auth: "session",
        guard: "none",
        server: "server.delete",
        scope: "servers:delete",
        idempotency: "key",
        timeoutMs: 12_000,
      },
      request: z.object({
        id: ServerId,
        /** For operators: what runs is stopped first. */
        force: z.stringbool().or(z.boolean()).default(false),
      }),
      reply: accepted,
      errors: {
        still_running: { status: 409, title: "The server is running; stop it first" },
        ...hostRefused,
      },
      example: { id: "5000" },
    },
    startHost: { summary: "Start the server's container", ...hostPower("start") },
    stopHost: { summary: "Stop the server's container, in order", ...hostPower("stop") },
    restartHost: { summary: "Stop the server's container, and start it again", ...hostPower("restart") },
    inventory: {
      subject: "rpc.provisioning.v1.inventory.get",
      summary: "Where the registry of servers and the host disagree",
      http: { method: "GET", path: "/api/admin/inventory", success: 200, kind: "json" },
      policy: {
        auth: "operator",
        guard: "operator",
        scope: "admin:read",
        idempotency: "safe",
        timeoutMs: 20_000,
      },
      request: z.object({}),
      reply: Inventory,
      errors: hostRefused,
      example: {},
    },
    getOperation: {
      subject: "rpc.provisioning.v1.operation.get",
      summary: "One operation of the account, also after its server is gone",
      http: {
        method: "GET",
        path: "/api/operations/:operationId",
        success: 200,
        kind: "json",
        when: { param: "operationId", prefix: "prv_" },
        aliases: [{ method: "GET", path: "/api/provisioning/operations/:operationId", ...first }],
      },
      policy: { ...safe, scope: "servers:read" },
      request: z.object({ operationId: z.string().regex(/^[a-z]{3}_[0-9a-z]{10,40}$/) }),
      reply: Operation,
      errors: { operation_not_found: { status: 404, title: "There is no such operation" } },
      example: { operationId: "prv_00000000000000000000000000" },
    },
    gameCatalog: {
      subject: "rpc.provisioning.v1.catalog.game",
      summary: "Games that can be created",
      http: { method: "GET", path: "/api/catalog/game", success: 200, kind: "json" },
      policy: { ...safe, auth: "public" },
      request: z.object({}),
      reply: z.object({
        games: z.array(z.object({ id: z.string(), name: z.string(), variants: z.array(Choosable) })),
      }),
      errors: {},
      example: {},
    },
    devCatalog: {
      subject: "rpc.provisioning.v1.catalog.dev",
      summary: "Runtimes of dev containers",
      http: { method: "GET", path: "/api/catalog/dev", success: 200, kind: "json" },
      policy: { ...safe, auth: "public" },
      request: z.object({}),
      reply: z.object({ runtimes: z.array(Choosable) }),
      errors: {},
      example: {},
    },
  },
  events: { auditRecorded: auditRecorded("provisioning") },
});
