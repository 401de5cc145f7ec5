import type { Actor } from "#shared/contract/actor.ts";
import type { Binding, Contract, Route } from "#shared/contract/define.ts";
import type { Answer } from "#shared/contract/dispatch.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Logger } from "#shared/telemetry/log.ts";

/** One route at one of its addresses. */
export type Mounted = {
  contract: Contract;
  name: string;
  route: Route;
  binding: Binding & { alias?: { since: string } };
};

/** One HTTP request on its way through the pipeline; each stage fills in what the later ones need. */
export type Exchange = Mounted & {
  request: Request;
  params: Record<string, string>;
  /** Address of the peer's socket. */
  socketAddress: string;
  /** Address of the client, as far as trusted proxies tell it. */
  address: string;
  traceparent: string;
  requestId: string;
  actor: Actor;
  input: Record<string, unknown>;
  answer?: Answer;
  response?: Response;
  log: Logger;
};
export type Stage = (exchange: Exchange) => Promise<void> | void;

/** The answer to any failure: the problem document and the headers that belong to its status. */
export function problemResponse(
  fault: Fault,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(fault.problem(requestId)), {
    status: fault.status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...(fault.retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(fault.retryAfter)) }),
      ...(fault.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...headers,
    },
  });
}
