import { z } from "zod";
import { defineContract } from "#shared/contract/define.ts";
import { Operation } from "#shared/contract/operation.ts";
import { gated, PlanName } from "#services/billing/contract.ts";

const Variant = z.object({
  id: z.string(),
  name: z.string(),
  /** Newest first. */
  versions: z.array(z.string()),
  /** What a create without a version gets. */
  defaultVersion: z.string(),
  /** What the host must have for it; empty: runs anywhere. */
  requires: z.array(z.string()),
  /** Whether this installation can create it now. */
  available: z.boolean(),
});

/** Body of a create. Either name of the type is accepted; members that are not known are ignored. */
export const CreateServer = z.object({
  ctype: z.enum(["game", "dev"]).optional(),
  type: z.enum(["game", "dev"]).optional(),
  game: z.string().max(40).optional(),
  variant: z.string().max(40).optional(),
  version: z.string().max(40).optional(),
  runtime: z.string().max(40).optional(),
  memoryMiB: z.int().min(256).max(65_536).default(1_024),
  name: z
    .string()
    .trim()
    .min(1)
    .max(64)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, "must not contain control characters")
    .optional(),
  addons: z.array(z.string().max(64)).max(20).default([]),
});

export const quotaExceeded = {
  quota_exceeded: {
    status: 409,
    title: "The plan's limit is reached",
    details: z.object({
      resource: z.enum(["servers", "memory"]),
      limit: z.int(),
      used: z.int(),
      plan: PlanName,
      resolveUrl: z.string(),
    }),
  },
} as const;

const safe = { auth: "session", guard: "none", idempotency: "safe", timeoutMs: 3_000 } as const;

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
        aliases: [
          {
            method: "POST",
            path: "/api/instances",
            since: "2026-01-01",
            reason: "address of the first Portal",
          },
        ],
      },
      policy: { auth: "session", guard: "none", idempotency: "key", timeoutMs: 5_000 },
      request: CreateServer,
      reply: z.object({
        ok: z.literal(true),
        operationId: z.string(),
        statusUrl: z.string(),
        requestId: z.string(),
        operation: Operation,
      }),
      errors: {
        ...gated,
        ...quotaExceeded,
        unknown_engine: { status: 422, title: "The catalogue has no such game, variant, version or runtime" },
        engine_unavailable: { status: 422, title: "This installation cannot run that variant" },
      },
      example: {
        ctype: "game",
        game: "minecraft",
        variant: "flying-squid",
        version: "1.16.5",
        name: "my world",
      },
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
        aliases: [
          {
            method: "GET",
            path: "/api/provisioning/operations/:operationId",
            since: "2026-01-01",
            reason: "address of the first Portal",
          },
        ],
      },
      policy: safe,
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
        games: z.array(z.object({ id: z.string(), name: z.string(), variants: z.array(Variant) })),
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
      reply: z.object({
        runtimes: z.array(z.object({ id: z.string(), name: z.string(), versions: z.array(z.string()) })),
      }),
      errors: {},
      example: {},
    },
  },
  events: {},
});
