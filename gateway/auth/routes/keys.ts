import { z } from "zod";
import type { Route } from "#shared/contract/define.ts";
import { Scope } from "#shared/contract/scope.ts";
import { Id, Name, ok, session } from "./common.ts";

const Key = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(Scope),
  cidrs: z.array(z.string()),
  expiresAt: z.iso.datetime().nullable(),
  /** To the minute; null while it was never used. */
  lastUsedAt: z.iso.datetime().nullable(),
  createdAt: z.iso.datetime(),
});

const Range = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], "not an address or address range");

export const keyRoutes = {
  createKey: {
    subject: "rpc.gateway.v1.key.create",
    summary: "Make an API key; its secret is shown this once",
    http: { method: "POST", path: "/api/auth/keys", success: 201, kind: "json" },
    policy: { ...session, idempotency: "natural" },
    request: z.object({
      name: Name.min(1),
      scopes: z.array(Scope).min(1).max(32),
      /** Addresses and ranges from which it is accepted; empty: from any. */
      cidrs: z.array(Range).max(32).default([]),
      expiresAt: z.iso.datetime().nullable().default(null),
    }),
    reply: ok.extend({ key: z.string(), apiKey: Key }),
    errors: {
      key_name_taken: { status: 409, title: "The account has a key of this name" },
      key_limit: {
        status: 409,
        title: "The account has as many API keys as it may",
        details: z.object({ limit: z.int() }),
      },
      key_scope_denied: {
        status: 403,
        title: "A key of this account cannot have this scope",
        details: z.object({ scope: z.string() }),
      },
      key_expiry_past: { status: 422, title: "`expiresAt` lies in the past" },
    },
    example: { name: "deploy", scopes: ["servers:read"], cidrs: ["203.0.113.0/24"], expiresAt: null },
  },
  listKeys: {
    subject: "rpc.gateway.v1.key.list",
    summary: "The account's API keys, without their secrets",
    http: { method: "GET", path: "/api/auth/keys", success: 200, kind: "json" },
    policy: { ...session, idempotency: "safe" },
    request: z.object({}),
    reply: ok.extend({ keys: z.array(Key) }),
    errors: {},
    example: {},
  },
  revokeKey: {
    subject: "rpc.gateway.v1.key.revoke",
    summary: "End an API key",
    http: { method: "DELETE", path: "/api/auth/keys/:keyId", success: 200, kind: "json" },
    policy: { ...session, idempotency: "natural" },
    request: z.object({ keyId: Id("key") }),
    reply: ok,
    errors: { key_not_found: { status: 404, title: "The account has no such API key" } },
    example: { keyId: "key_01j00000000000000000000000" },
  },
} as const satisfies Record<string, Route>;
