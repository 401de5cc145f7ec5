import { z } from "zod";
import { auditRecorded } from "#shared/contract/audit.ts";
import { defineContract } from "#shared/contract/define.ts";
import type { ServerAction } from "#shared/contract/authority.ts";

export const BillingStatus = z.enum([
  "active",
  "past_due",
  "overdue_warning",
  "suspended",
  "retained",
  "pending_deletion",
]);
export const ServerBillingState = z.enum(["allowed", "backup_blocked", "suspended_shutdown", "retained"]);
export type ServerBillingState = z.infer<typeof ServerBillingState>;

/** Actions that billing decides on: those on one server, and the creation of one. */
export type GatedAction = ServerAction | "server.create";

const always = ["allowed", "backup_blocked", "suspended_shutdown", "retained"] as const;
const whilePaid = ["allowed", "backup_blocked"] as const;
const whileCurrent = ["allowed"] as const;

/** In which states each action is open. The one source: services, tests and pages read it from here. */
export const gateMatrix: Record<GatedAction, readonly ServerBillingState[]> = {
  "server.read": always,
  "server.delete": always,
  "power.stop": always,
  "files.read": always,
  "backups.read": always,
  "power.start": whilePaid,
  "power.restart": whilePaid,
  "files.write": whilePaid,
  "backups.restore": whilePaid,
  "backups.delete": whilePaid,
  "backups.lock": whilePaid,
  "schedules.write": whilePaid,
  "console.view": whilePaid,
  "console.input": whilePaid,
  "ide.use": whilePaid,
  "backups.create": whileCurrent,
  "server.create": whileCurrent,
};

/** `billing.gated`, for every contract whose routes the matrix may close. */
export const gated = {
  "billing.gated": {
    status: 402,
    title: "The account's billing state does not allow this",
    details: z.object({
      state: ServerBillingState,
      action: z.string(),
      since: z.iso.datetime(),
      resolveUrl: z.string(),
    }),
  },
} as const;
export const PlanName = z.enum(["free", "starter", "pro", "performance"]);

export const Limits = z.object({
  servers: z.int().min(0),
  memoryMiB: z.int().min(0),
  backupsPerServer: z.int().min(0),
  schedulesPerServer: z.int().min(0),
});

export type Limits = z.infer<typeof Limits>;

/** What each plan includes. An account keeps the limits of the moment it joined its plan. */
export const plans: Record<z.infer<typeof PlanName>, Limits> = {
  free: { servers: 3, memoryMiB: 4_096, backupsPerServer: 3, schedulesPerServer: 1 },
  starter: { servers: 5, memoryMiB: 8_192, backupsPerServer: 5, schedulesPerServer: 3 },
  pro: { servers: 10, memoryMiB: 24_576, backupsPerServer: 10, schedulesPerServer: 10 },
  performance: { servers: 25, memoryMiB: 65_536, backupsPerServer: 25, schedulesPerServer: 25 },
};

/** Where an account sees what closed an action or a limit, and what it can do about it. */
export const resolveUrl = "/api/billing";

/** The public state of an account, as events carry it and projections keep it. */
export const AccountState = z.object({
  accountId: z.string(),
  plan: PlanName,
  billingStatus: BillingStatus,
  serverBillingState: ServerBillingState,
  /** When the present server state began. */
  since: z.iso.datetime(),
  limits: Limits,
  /** Grows with every change of the account; a smaller one is older. */
  version: z.int(),
});
export type AccountState = z.infer<typeof AccountState>;

/** As the gateway gives it out; fit to be the key of an event. */
const AccountId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be the id of an account");

export const Override = z.object({
  serverBillingState: ServerBillingState,
  reason: z
    .string()
    .min(3)
    .max(500)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, "must not contain control characters"),
  /** The override ends by itself at this moment; null: until it is lifted. */
  until: z.iso.datetime().nullable().default(null),
});

const accountNotFound = { account_not_found: { status: 404, title: "There is no such account" } } as const;
const timeoutMs = 2_000;
const byOperator = {
  auth: "operator",
  guard: "operator",
  scope: "admin:write",
  idempotency: "natural",
  timeoutMs,
} as const;

export const billing = defineContract({
  service: "billing",
  version: "1.0.0",
  calls: [],
  consumes: ["gateway.accountRegistered"],
  routes: {
    getBilling: {
      subject: "rpc.billing.v1.account.summary",
      summary: "Plan, state and limits of the signed-in account",
      http: { method: "GET", path: "/api/billing", success: 200, kind: "json" },
      policy: { auth: "session", guard: "none", scope: "account:read", idempotency: "safe", timeoutMs },
      request: z.object({}),
      reply: AccountState,
      errors: {},
      example: {},
    },
    getAccount: {
      subject: "rpc.billing.v1.account.get",
      summary: "State and limits of an account, born on the free plan when it is new",
      policy: { auth: "service", guard: "none", idempotency: "natural", timeoutMs },
      request: z.object({ accountId: AccountId }),
      reply: AccountState,
      errors: {},
    },
    overrideAccount: {
      subject: "rpc.billing.v1.account.override",
      summary: "Set the billing state of an account's servers by hand",
      http: {
        method: "PUT",
        path: "/api/admin/billing/accounts/:id/override",
        success: 200,
        kind: "json",
      },
      policy: byOperator,
      request: Override.extend({ id: AccountId }),
      reply: AccountState,
      errors: { ...accountNotFound, until_past: { status: 422, title: "`until` lies in the past" } },
      example: {
        id: "acc_example",
        serverBillingState: "suspended_shutdown",
        reason: "chargeback",
        until: null,
      },
    },
    clearOverride: {
      subject: "rpc.billing.v1.account.clear-override",
      summary: "Lift an operator's override",
      http: {
        method: "DELETE",
        path: "/api/admin/billing/accounts/:id/override",
        success: 200,
        kind: "json",
      },
      policy: byOperator,
      request: z.object({ id: AccountId }),
      reply: AccountState,
      errors: accountNotFound,
      example: { id: "acc_example" },
    },
  },
  events: {
    accountChanged: {
      subject: "evt.billing.v1.account.changed",
      summary: "Plan, state or limits of an account changed",
      data: AccountState,
    },
    auditRecorded: auditRecorded("billing"),
  },
});
