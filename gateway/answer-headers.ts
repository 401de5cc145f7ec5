import type { OriginRules } from "./pipeline/origin.ts";

// What a page of an allowed origin may send and read; both beyond what browsers always allow.
const sent = "Authorization, Content-Type, Idempotency-Key, If-Match";
const exposed = [
  "X-Request-Id",
  "Idempotency-Replayed",
  "Retry-After",
  "ETag",
  "Deprecation",
  "Link",
  "Content-Disposition",
].join(", ");

export type AnswerHeaders = {
  /** What every answer to this request carries; a new object, to be added to. */
  of(request: Request): Record<string, string>;
  /** What the answer to an OPTIONS request carries besides, where a browser asks before it sends `allowed`. */
  preflight(request: Request, allowed: readonly string[]): Record<string, string>;
};

/**
 * Headers that do not depend on the route. `publicUrl` tells whether clients come by TLS. Origins are compared as a
 * whole and answered by name, never by a wildcard; whoever is not listed gets none of the CORS headers.
 */
export function answerHeaders(o: {
  publicUrl: string;
  origins: OriginRules;
  preflightSeconds: number;
}): AnswerHeaders {
  const { listed } = o.origins;
  const always = {
    "x-content-type-options": "nosniff",
    ...(o.publicUrl.startsWith("https:") ? { "strict-transport-security": "max-age=31536000" } : {}),
    // The same address answers differently to different pages.
    ...(listed.size > 0 ? { vary: "Origin" } : {}),
  };
  const permitted = (request: Request): string | undefined => {
    const origin = listed.size > 0 ? request.headers.get("origin") : null;
    return origin !== null && listed.has(origin) ? origin : undefined;
  };
  return {
    of(request) {
      const origin = permitted(request);
      if (origin === undefined) return { ...always };
      return {
        ...always,
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": exposed,
      };
    },
    preflight(request, allowed) {
      if (permitted(request) === undefined || !request.headers.has("access-control-request-method"))
        return {};
      return {
        "access-control-allow-methods": allowed.join(", "),
        "access-control-allow-headers": sent,
        "access-control-max-age": String(o.preflightSeconds),
      };
    },
  };
}
