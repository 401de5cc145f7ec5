import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import type { Contract } from "#shared/contract/define.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import type { Edge } from "./edges/edge.ts";
import { problemResponse, type Stage } from "./exchange.ts";
import { mount } from "./mount.ts";
import { notFound } from "./not-found.ts";
import { components } from "./openapi.ts";
import { clientAddress } from "./pipeline/address.ts";
import { type AddressRules, checkAddress } from "./pipeline/guard-ip.ts";
import { checkHost, type HostRules } from "./pipeline/host.ts";

export type GatewayParts = {
  registry: readonly Contract[];
  edges: readonly Edge[];
  /** Every stage that a routed request goes through, in order. */
  pipeline: readonly Stage[];
  hosts: HostRules;
  addresses: AddressRules;
  version: string;
  log: Logger;
};

/** The HTTP face of the mesh: host check, contracts, edges, the API page, and one error shape for all the rest. */
export function gatewayApp({ registry, edges, pipeline, hosts, addresses, version, log }: GatewayParts) {
  // With the standard host name a short Host header would move path boundaries, and guards with them.
  const app = new Elysia({ handler: { standardHostname: false }, strictPath: true, normalize: false })
    .onRequest(({ request, set }) => {
      try {
        checkHost(request, hosts);
        // The API page is the one answer that neither the pipeline nor an edge makes.
        if (new URL(request.url).pathname.startsWith("/docs"))
          set.headers["x-request-id"] = requestIdOf(newTraceparent());
        return undefined;
      } catch (error) {
        return failure(error, log);
      }
    })
    .onError(({ error, code, request }) => {
      if (code === "NOT_FOUND") return failure(notFound(registry, edges, request), log);
      return failure(error, log);
    })
    .use(apiPage(version))
    .use(mount(registry, pipeline, log));
  for (const edge of edges) app.use(mountEdge(edge, addresses, log));
  return app;
}

function mountEdge(edge: Edge, addresses: AddressRules, log: Logger) {
  return new Elysia({ name: edge.path }).route(
    edge.method,
    edge.path,
    async ({ request, server }) => {
      const requestId = requestIdOf(newTraceparent());
      const socketAddress = server?.requestIP(request)?.address ?? "";
      try {
        const client = clientAddress(socketAddress, request.headers, addresses.trustedProxies);
        checkAddress(edge.policy.guard, client, addresses, log);
        const response = await edge.handle({ request, requestId, socketAddress });
        response.headers.set("x-request-id", requestId);
        return response;
      } catch (error) {
        return failure(error, log, requestId);
      }
    },
    {
      parse: "none",
      detail: { summary: edge.summary, description: edge.because, tags: ["gateway"], security: [] },
    },
  );
}

function failure(error: unknown, log: Logger, requestId = requestIdOf(newTraceparent())): Response {
  if (error instanceof Fault) return problemResponse(error, requestId);
  log.error({ err: error, requestId }, "a request failed outside of its pipeline");
  return problemResponse(coreFault("internal.error"), requestId);
}

// Whatever would ask a foreign host for something is off. The plugin's types are older than the script that is served.
const quiet: object = {
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
};

function apiPage(version: string) {
  return swagger({
    path: "/docs",
    specPath: "/docs/json",
    scalarCDN: "/docs/scalar.js",
    exclude: ["/docs", "/docs/json", "/docs/scalar.js"],
    excludeStaticFile: false,
    scalarConfig: quiet,
    documentation: {
      openapi: "3.1.0",
      info: { title: "zpack", version, description: "Control plane for game servers and dev containers" },
      components,
    },
  });
}
