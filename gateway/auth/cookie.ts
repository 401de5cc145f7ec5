// The refresh token travels in this cookie alone: no script can read it, no other site can send it, and no route but
// those of accounts ever gets it.

import type { Context } from "#shared/contract/implement.ts";
import type { Opened } from "./sessions.ts";

/** Name of the one cookie that routes with `http.cookie: "refresh"` read and set. */
export const refreshCookieName = "zpack_refresh";

/** Answers that end a session for good: the cookie that belonged to it goes with them. */
const ending: ReadonlySet<string> = new Set([
  "auth.session_outdated",
  "gateway.refresh_invalid",
  "gateway.refresh_reused",
]);

/** Whether an answer with this error code clears the refresh cookie. */
export const endsSession = (code: string): boolean => ending.has(code);

/** The `Set-Cookie` value that gives a client its next refresh token. `publicUrl` is where clients reach the gateway. */
export const refreshCookie = (value: string, o: { publicUrl: string; maxAgeSeconds: number }): string =>
  `${refreshCookieName}=${value}; Max-Age=${o.maxAgeSeconds}; ${attributes(o.publicUrl)}`;

/** The `Set-Cookie` value that takes the refresh token away again. */
export const clearedRefreshCookie = (publicUrl: string): string =>
  `${refreshCookieName}=; Max-Age=0; ${attributes(publicUrl)}`;

type Settings = { publicUrl: string; refreshSeconds: number };

/** Gives the refresh token of an opened session to the cookie, and answers what belongs in the body. */
export function handOut(
  ctx: Pick<Context, "replyHeader">,
  { issued, refresh }: Opened,
  { publicUrl, refreshSeconds }: Settings,
): Opened["issued"] {
  ctx.replyHeader("set-cookie", refreshCookie(refresh, { publicUrl, maxAgeSeconds: refreshSeconds }));
  return issued;
}

/** Takes the refresh token away from the client. */
export function takeBack(ctx: Pick<Context, "replyHeader">, { publicUrl }: Settings): void {
  ctx.replyHeader("set-cookie", clearedRefreshCookie(publicUrl));
}

function attributes(publicUrl: string): string {
  const { protocol, hostname } = new URL(publicUrl);
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  // Only on this machine, and without TLS, would a browser refuse a cookie that is marked as secure.
  const secure = protocol === "http:" && loopback ? "" : "; Secure";
  return `Path=/api/auth; HttpOnly${secure}; SameSite=Strict`;
}
