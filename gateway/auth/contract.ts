import { z } from "zod";
import { defineContract } from "#shared/contract/define.ts";

const Email = z.email().max(254);
const Username = z
  .string()
  .trim()
  .min(3)
  .max(32)
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
    "letters, digits, dot, dash and underscore; starts with a letter or digit",
  );
// Postgres stores no NUL, and a name is one line of text.
const printable = /^\P{Cc}*$/u;
const Name = z.string().trim().max(80).regex(printable, "holds a control character");
// An upper bound keeps a request from buying minutes of hashing.
const Password = z.string().min(8).max(256);

export const User = z.object({
  id: z.string(),
  email: z.string(),
  username: z.string(),
  displayName: z.string().nullable(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
  role: z.enum(["customer", "operator"]),
  billing_status: z.string(),
  suspended_at: z.iso.datetime().nullable(),
});

const session = { auth: "session", guard: "none", timeoutMs: 3_000 } as const;
const open = { auth: "public", guard: "none", timeoutMs: 5_000 } as const;
const issued = z.object({ token: z.string(), expiresIn: z.int() });

/** The gateway's own routes: accounts and sessions. Served in its process, by the same mechanism as all others. */
export const gateway = defineContract({
  service: "gateway",
  version: "1.0.0",
  edge: true,
  calls: ["billing.getAccount"],
  consumes: ["billing.accountChanged"],
  routes: {
    register: {
      subject: "rpc.gateway.v1.account.register",
      summary: "Open an account and a first session",
      http: { method: "POST", path: "/api/auth/register", success: 201, kind: "json" },
      policy: { ...open, idempotency: "natural" },
      request: z.object({
        email: Email,
        username: Username,
        password: Password,
        firstName: Name.optional(),
        lastName: Name.optional(),
        displayName: Name.optional(),
      }),
      reply: issued.extend({ ok: z.literal(true) }),
      errors: {
        email_taken: { status: 409, title: "An account with this e-mail address exists" },
        username_taken: { status: 409, title: "This username is taken" },
      },
      example: { email: "ada@example.org", username: "ada", password: "correct horse battery" },
    },
    login: {
      subject: "rpc.gateway.v1.session.login",
      summary: "Open a session with e-mail address or username",
      http: { method: "POST", path: "/api/auth/login", success: 200, kind: "json" },
      policy: { ...open, idempotency: "natural" },
      request: z.object({
        identifier: z.string().min(1).max(254).regex(printable, "holds a control character"),
        password: z.string().min(1).max(256),
      }),
      reply: issued,
      errors: { wrong_credentials: { status: 401, title: "The name or the password is wrong" } },
      example: { identifier: "ada", password: "correct horse battery" },
    },
    logout: {
      subject: "rpc.gateway.v1.session.logout",
      summary: "End this session",
      http: { method: "POST", path: "/api/auth/logout", success: 200, kind: "json" },
      policy: { ...session, idempotency: "natural" },
      request: z.object({}),
      reply: z.object({ ok: z.literal(true) }),
      errors: {},
      example: {},
    },
    me: {
      subject: "rpc.gateway.v1.account.me",
      summary: "The signed-in account",
      http: { method: "GET", path: "/api/auth/me", success: 200, kind: "json" },
      policy: { ...session, idempotency: "safe" },
      request: z.object({}),
      reply: z.object({ ok: z.literal(true), user: User }),
      errors: {},
      example: {},
    },
    updateMe: {
      subject: "rpc.gateway.v1.account.update",
      summary: "Change the signed-in account's names",
      http: { method: "PATCH", path: "/api/auth/me", success: 200, kind: "json" },
      policy: { ...session, idempotency: "natural" },
      request: z.object({
        firstName: Name.optional(),
        lastName: Name.optional(),
        displayName: Name.optional(),
      }),
      reply: z.object({ ok: z.literal(true), user: User }),
      errors: {},
      example: { displayName: "Ada" },
    },
    profile: {
      subject: "rpc.gateway.v1.account.profile",
      summary: "The signed-in account, bare",
      http: { method: "GET", path: "/api/users/profile", success: 200, kind: "json" },
      policy: { ...session, idempotency: "safe" },
      request: z.object({}),
      reply: User,
      errors: {},
      example: {},
    },
  },
  events: {
    accountRegistered: {
      subject: "evt.gateway.v1.account.registered",
      summary: "An account was opened",
      data: z.object({
        accountId: z.string(),
        email: z.string(),
        username: z.string(),
        role: z.enum(["customer", "operator"]),
      }),
    },
  },
});
