import { Elysia } from "elysia";
import type { Contract } from "#shared/contract/define.ts";
import { clearedRefreshCookie } from "#gateway/auth/cookie.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { addressesOf, pathOf } from "./addresses.ts";
import { answerHeaders } from "./answer-headers.ts";
import { apiPage, pageHeaders } from "./api-page.ts";
import type { Edge } from "./edges/edge.ts";
import type { Stage } from "./exchange.ts";
import { type Handling, mount } from "./mount.ts";
import { mountEdge } from "./mount-edge.ts";
import type { AddressRules } from "./pipeline/guard-ip.ts";
import { checkHost, type HostRules } from "./pipeline/host.ts";
import type { OriginRules } from "./pipeline/origin.ts";
import { unroutedAnswers } from "./unrouted.ts";

export type GatewayParts = {
  registry: readonly Contract[];
  edges: readonly Edge[];
  /** Every stage that a routed request goes through, in order. */
  pipeline: readonly Stage[];
  hosts: HostRules;
  addresses: AddressRules;
  origins: OriginRules;
  /** Where clients reach the gateway. */
  publicUrl: string;
  /** How long a browser may remember what a page of an allowed origin may send. */
  preflightSeconds: number;
  version: string;
  log: Logger;
};

/** The HTTP face of the mesh: host check, contracts, edges, the API page, and one error shape for all the rest. */
export function gatewayApp(o: GatewayParts) {
  const { registry, edges, hosts, log, pipeline } = o;
  const app = new Elysia({
    // With the standard host name a short Host header would move path boundaries, and guards with them.
    handler: { standardHostname: false },
    // The runtime's own router matches the path as it was sent, everything else the URL that was made of it: with one
    // of them alone, what was matched is what is logged and looked up.
    systemRouter: false,
    strictPath: true,
    normalize: false,
  });
  const headers = answerHeaders(o);
  const clearedCookie = clearedRefreshCookie(o.publicUrl);
  const outside = unroutedAnswers({ addresses: addressesOf(registry, edges), headers, clearedCookie, log });
  const handling: Handling = { pipeline, headers, clearedCookie, server: () => app.server, log };
  app
    .onRequest(({ request, set }) => {
      try {
        checkHost(request, hosts);
      } catch (error) {
        return outside.failed(request, error);
      }
      if (request.method === "OPTIONS") return outside.options(request);
      // The API page is the one answer that neither the pipeline nor an edge makes.
      if (pathOf(request.url).startsWith("/docs"))
        Object.assign(set.headers, headers.of(request), pageHeaders, {
          "x-request-id": requestIdOf(newTraceparent()),
        });
      return undefined;
    })
    .onError(({ error, code, request }) =>
      code === "NOT_FOUND" ? outside.notFound(request) : outside.failed(request, error),
    )
    .use(apiPage(o.version))
    .use(mount(registry, handling));
  for (const edge of edges) app.use(mountEdge(edge, o.addresses, handling));
  return app;
}
