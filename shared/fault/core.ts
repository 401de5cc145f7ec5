import { Fault, type FaultInit } from "./fault.ts";

/** The faults that the mechanism itself raises: any route may answer them without declaring them. */
export const coreFaults = {
  "request.invalid": { status: 400, title: "The request does not match its contract" },
  "request.too_large": { status: 413, title: "The request body is too large" },
  "request.media_type": { status: 415, title: "The body's content type is not supported" },
  "request.host": { status: 421, title: "This host name is not served here" },
  "request.cancelled": { status: 499, title: "The client went away" },
  "route.not_found": { status: 404, title: "There is no such route" },
  "route.method_not_allowed": { status: 405, title: "This method is not allowed here" },
  "auth.required": { status: 401, title: "A valid session is needed" },
  "auth.invalid_token": { status: 401, title: "The token is not valid" },
  "auth.session_outdated": { status: 401, title: "Please sign in again" },
  "auth.forbidden": { status: 403, title: "This account may not do that" },
  "auth.scope_missing": { status: 403, title: "This API key may not do that" },
  "auth.session_needed": { status: 403, title: "An API key cannot do that; please sign in" },
  "guard.origin_denied": { status: 403, title: "This web page may not use this route" },
  "guard.ip_denied": { status: 403, title: "This address may not use this route" },
  "limit.exceeded": { status: 429, title: "Too many requests", retryable: true },
  "idempotency.key_reused": { status: 422, title: "This Idempotency-Key was used with another body" },
  "idempotency.key_invalid": { status: 400, title: "The Idempotency-Key is not valid" },
  "service.unavailable": {
    status: 503,
    title: "The service is not available at the moment",
    retryable: true,
    retryAfter: 1,
  },
  "service.timeout": {
    status: 504,
    title: "The service did not answer in time",
    retryable: true,
    retryAfter: 1,
  },
  "upstream.rejected": { status: 409, title: "The server's agent refused the request" },
  "upstream.failed": { status: 502, title: "The server's agent failed", retryable: true },
  "upstream.refused": { status: 502, title: "The server's agent cannot be reached", retryable: true },
  "upstream.timeout": {
    status: 504,
    title: "The server's agent did not answer in time",
    retryable: true,
    retryAfter: 1,
  },
  "internal.error": { status: 500, title: "Internal error" },
} as const satisfies Record<string, Omit<FaultInit, "code">>;

export type CoreCode = keyof typeof coreFaults;

/** A fault of the mechanism; `extra` may override its status (agent answers that pass through) and add detail. */
export function coreFault(
  code: CoreCode,
  extra: Partial<Omit<FaultInit, "code">> = {},
  options?: ErrorOptions,
): Fault {
  return new Fault({ code, ...coreFaults[code], ...extra }, options);
}
