import { z } from "zod";
import type { Route } from "#shared/contract/define.ts";
import { ok, printable, session } from "./common.ts";

const Text = z.string().min(1).max(128).regex(printable, "holds a control character");

const Entry = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  /** Account that acted, or `service:<name>`; null while nobody was signed in. */
  actor: z.string().nullable(),
  /** Session or API key that was presented. */
  via: z.string().nullable(),
  /** The API key, where it was one. */
  apiKey: z.string().nullable(),
  action: z.string(),
  target: z.string().nullable(),
  /** Owner of the target, where it is not the actor. */
  customerId: z.string().nullable(),
  address: z.string().nullable(),
  requestId: z.string().nullable(),
  /** HTTP status with which the request ended; null while it is under way, and where there was none. */
  status: z.int().nullable(),
  details: z.record(z.string(), z.unknown()),
});

export const auditRoutes = {
  listAudit: {
    subject: "rpc.gateway.v1.audit.list",
    summary: "Who did what, newest first: an account sees its own, operators see all",
    http: { method: "GET", path: "/api/audit", success: 200, kind: "json" },
    policy: { ...session, idempotency: "safe", scope: "audit:read" },
    request: z.object({
      /** Lines about one account; for operators, others see their own alone. */
      account: Text.optional(),
      action: Text.optional(),
      target: Text.optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
      /** `next` of the page before. */
      cursor: z
        .string()
        // Milliseconds of a year with four digits, which is as far as the database reads.
        .regex(/^\d{1,14}_\w{1,64}$/, "not a cursor")
        .optional(),
    }),
    reply: ok.extend({ entries: z.array(Entry), next: z.string().nullable() }),
    errors: {},
    example: {},
  },
} as const satisfies Record<string, Route>;
