import { endsSession } from "#gateway/auth/cookie.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Logger } from "#shared/telemetry/log.ts";

export type FailedRequest = {
  requestId: string;
  /** What the answer carries whatever it is. */
  headers: Record<string, string>;
  /** The `Set-Cookie` value that ends a session on the client's side too. */
  clearedCookie: string;
  /** The client wanted to end its session: where that is over already, it shall not keep the cookie either. */
  leaving?: boolean;
  log: Logger;
};

/**
 * The answer to any failure: the problem document and the headers that belong to its status and code. It
 * leaves one line in the log, so that the id in a client's hand leads somewhere: of what the client did, as
 * information; of what failed here, as a warning; of what nobody foresaw, as an error with its cause.
 */
export function answerFailure(
  error: unknown,
  { requestId, headers, clearedCookie, leaving = false, log }: FailedRequest,
): Response {
  const fault = error instanceof Fault ? error : coreFault("internal.error", {}, { cause: error });
  const { status, code } = fault;
  if (!(error instanceof Fault)) log.error({ err: error, status }, "a request failed");
  else if (status >= 500) log.warn({ err: error, status, code }, "a request was answered with a failure");
  else log.info({ status, code }, "a request was refused");
  return new Response(JSON.stringify(fault.problem(requestId)), {
    status,
    headers: {
      ...headers,
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...(fault.retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(fault.retryAfter)) }),
      // What else of the request would come is not waited for.
      ...(status === 408 ? { connection: "close" } : {}),
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...allow(fault),
      ...(endsSession(code) || (leaving && status === 401) ? { "set-cookie": clearedCookie } : {}),
    },
  });
}

/** A 405 says in its header, too, what is allowed (RFC 9110). */
function allow({ status, details }: Fault): Record<string, string> {
  const allowed = status === 405 ? details?.["allowed"] : undefined;
  return Array.isArray(allowed) ? { allow: allowed.join(", ") } : {};
}
