import type { Logger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { type Addresses, pathOf, unrouted } from "./addresses.ts";
import type { AnswerHeaders } from "./answer-headers.ts";
import { answerFailure } from "./failure.ts";

/** Answers to requests that no route gets to see. */
export function unroutedAnswers(o: {
  addresses: Addresses;
  headers: AnswerHeaders;
  clearedCookie: string;
  log: Logger;
}) {
  const { addresses, headers, clearedCookie } = o;

  /** One that was refused, or that failed, before or outside of its route. */
  const failed = (request: Request, error: unknown): Response => {
    const requestId = requestIdOf(newTraceparent());
    const log = o.log.child({
      requestId,
      method: request.method,
      path: pathOf(request.url).slice(0, 256),
    });
    return answerFailure(error, { requestId, headers: headers.of(request), clearedCookie, log });
  };

  return {
    failed,
    notFound(request: Request): Response {
      const allowed = addresses.methodsOf(pathOf(request.url));
      return failed(request, unrouted(allowed.includes(request.method) ? [] : allowed));
    },
    /** OPTIONS of any address: its methods, and to a browser that asks for a page of an allowed origin, what it may. */
    options(request: Request): Response {
      const allowed = addresses.methodsOf(pathOf(request.url));
      if (allowed.length === 0) return failed(request, unrouted([]));
      const told = {
        ...headers.of(request),
        ...headers.preflight(request, allowed),
        allow: allowed.join(", "),
        "cache-control": "no-store",
        "x-request-id": requestIdOf(newTraceparent()),
      };
      return new Response(null, { status: 204, headers: told });
    },
  };
}
