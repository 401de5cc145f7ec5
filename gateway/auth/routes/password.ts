import { z } from "zod";
import type { Route } from "#shared/contract/define.ts";
import { Email, Id, mesh, ok, open, operator, Password, session } from "./common.ts";

const notFound = { mail_not_found: { status: 404, title: "No such mail waits to be delivered" } } as const;

export const passwordRoutes = {
  changePassword: {
    subject: "rpc.gateway.v1.password.change",
    summary: "Change the password; every other session ends, and if so wished every API key",
    http: { method: "POST", path: "/api/auth/password/change", success: 200, kind: "json" },
    policy: { ...session, idempotency: "natural", timeoutMs: 5_000, limit: "login" },
    request: z.object({
      currentPassword: z.string().min(1).max(256),
      newPassword: Password,
      /** Whether programs must be given new keys, too: for whoever thinks that somebody else was in the account. */
      revokeApiKeys: z.boolean().default(false),
    }),
    reply: ok,
    errors: { wrong_password: { status: 403, title: "The current password is wrong" } },
    example: { currentPassword: "correct horse battery", newPassword: "staple correct horse" },
  },
  forgotPassword: {
    subject: "rpc.gateway.v1.password.forgot",
    summary:
      "Ask for mail with which to set a new password; the answer does not tell whether there is an account",
    http: { method: "POST", path: "/api/auth/password/forgot", success: 202, kind: "json" },
    policy: { ...open, idempotency: "natural", limit: "recover" },
    request: z.object({ email: Email }),
    reply: ok,
    errors: {},
    example: { email: "ada@example.org" },
  },
  resetPassword: {
    subject: "rpc.gateway.v1.password.reset",
    summary:
      "Set a new password with the token of a reset mail; every session and API key of the account ends",
    http: { method: "POST", path: "/api/auth/password/reset", success: 200, kind: "json" },
    policy: { ...open, idempotency: "natural", limit: "recover" },
    request: z.object({ token: z.string().min(1).max(256), newPassword: Password }),
    reply: ok,
    errors: {
      reset_invalid: {
        status: 400,
        title: "This link was used, has expired, or was replaced by a newer one",
      },
    },
    example: { token: "the token of the mail", newPassword: "staple correct horse" },
  },
  mintResetToken: {
    subject: "rpc.gateway.v1.password.mint-reset-token",
    summary:
      "For whoever delivers a reset mail, at that moment: its address and a token; earlier ones are void",
    policy: { ...mesh, idempotency: "natural" },
    request: z.object({ mailId: Id("mail") }),
    reply: z.object({ email: z.string(), token: z.string(), expiresAt: z.iso.datetime() }),
    errors: notFound,
  },
  confirmMail: {
    subject: "rpc.gateway.v1.mail.confirm",
    summary: "Mail was delivered and need not be kept",
    policy: { ...mesh, idempotency: "natural" },
    request: z.object({ mailId: Id("mail") }),
    reply: ok,
    errors: notFound,
  },
  listMail: {
    subject: "rpc.gateway.v1.mail.list",
    summary: "Mail to accounts that nobody has delivered yet, oldest first",
    http: { method: "GET", path: "/api/admin/mail", success: 200, kind: "json" },
    policy: { ...operator, idempotency: "safe", scope: "admin:read" },
    request: z.object({
      limit: z.coerce.number().int().min(1).max(200).default(50),
      /** `next` of the page before. */
      cursor: Id("mail").optional(),
    }),
    reply: ok.extend({
      mail: z.array(
        z.object({
          id: z.string(),
          kind: z.enum(["password_reset"]),
          accountId: z.string(),
          email: z.string(),
          requests: z.int(),
          createdAt: z.iso.datetime(),
        }),
      ),
      next: z.string().nullable(),
    }),
    errors: {},
    example: {},
  },
} as const satisfies Record<string, Route>;
