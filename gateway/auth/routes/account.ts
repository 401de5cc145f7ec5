import { z } from "zod";
import type { Route } from "#shared/contract/define.ts";
import { Email, issued, Name, ok, open, Password, session, User, Username } from "./common.ts";

export const accountRoutes = {
  register: {
    subject: "rpc.gateway.v1.account.register",
    summary: "Open an account and a first session",
    http: { method: "POST", path: "/api/auth/register", success: 201, kind: "json", cookie: "refresh" },
    policy: { ...open, idempotency: "natural", limit: "register" },
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
  me: {
    subject: "rpc.gateway.v1.account.me",
    summary: "The signed-in account",
    http: { method: "GET", path: "/api/auth/me", success: 200, kind: "json" },
    policy: { ...session, idempotency: "safe", scope: "account:read" },
    request: z.object({}),
    reply: ok.extend({ user: User }),
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
    reply: ok.extend({ user: User }),
    errors: {},
    example: { displayName: "Ada" },
  },
  profile: {
    subject: "rpc.gateway.v1.account.profile",
    summary: "The signed-in account, bare",
    http: { method: "GET", path: "/api/users/profile", success: 200, kind: "json" },
    policy: { ...session, idempotency: "safe", scope: "account:read" },
    request: z.object({}),
    reply: User,
    errors: {},
    example: {},
  },
} as const satisfies Record<string, Route>;
