import { z } from "zod";
import type { Route } from "#shared/contract/define.ts";
import { Id, issued, ok, open, printable, session } from "./common.ts";

const Session = z.object({
  id: z.string(),
  /** The session of this very request. */
  current: z.boolean(),
  /** From where it was opened. */
  address: z.string().nullable(),
  createdAt: z.iso.datetime(),
  /** Of the sign-in or the last refresh. */
  refreshedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});

export const sessionRoutes = {
  login: {
    subject: "rpc.gateway.v1.session.login",
    summary: "Open a session with e-mail address or username",
    http: { method: "POST", path: "/api/auth/login", success: 200, kind: "json", cookie: "refresh" },
    policy: { ...open, idempotency: "natural", limit: "login" },
    request: z.object({
      identifier: z.string().min(1).max(254).regex(printable, "holds a control character"),
      password: z.string().min(1).max(256),
    }),
    reply: issued,
    errors: { wrong_credentials: { status: 401, title: "The name or the password is wrong" } },
    example: { identifier: "ada", password: "correct horse battery" },
  },
  refresh: {
    subject: "rpc.gateway.v1.session.refresh",
    summary: "Trade the refresh cookie for the next one and a new access token",
    http: { method: "POST", path: "/api/auth/refresh", success: 200, kind: "json", cookie: "refresh" },
    policy: { ...open, idempotency: "natural", limit: "refresh" },
    request: z.object({}),
    reply: issued,
    errors: {
      refresh_invalid: { status: 401, title: "The session is over; please sign in again" },
      refresh_reused: {
        status: 401,
        title: "This refresh token was used before, so its session was ended; please sign in again",
      },
    },
    example: {},
  },
  logout: {
    subject: "rpc.gateway.v1.session.logout",
    summary: "End this session",
    http: { method: "POST", path: "/api/auth/logout", success: 200, kind: "json", cookie: "refresh" },
    policy: { ...session, idempotency: "natural" },
    request: z.object({}),
    reply: ok,
    errors: {},
    example: {},
  },
  logoutAll: {
    subject: "rpc.gateway.v1.session.logout-all",
    summary: "End every session of the account",
    http: { method: "POST", path: "/api/auth/logout/all", success: 200, kind: "json", cookie: "refresh" },
    policy: { ...session, idempotency: "natural" },
    request: z.object({}),
    reply: ok,
    errors: {},
    example: {},
  },
  listSessions: {
    subject: "rpc.gateway.v1.session.list",
    summary: "Where the account is signed in",
    http: { method: "GET", path: "/api/auth/sessions", success: 200, kind: "json" },
    policy: { ...session, idempotency: "safe" },
    request: z.object({}),
    reply: ok.extend({ sessions: z.array(Session) }),
    errors: {},
    example: {},
  },
  endSession: {
    subject: "rpc.gateway.v1.session.end",
    summary: "End one session of the account",
    http: { method: "DELETE", path: "/api/auth/sessions/:sessionId", success: 200, kind: "json" },
    policy: { ...session, idempotency: "natural" },
    request: z.object({ sessionId: Id("ses") }),
    reply: ok,
    errors: { session_not_found: { status: 404, title: "The account has no such session" } },
    example: { sessionId: "ses_01j00000000000000000000000" },
  },
} as const satisfies Record<string, Route>;
