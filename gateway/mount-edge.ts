import { Elysia } from "elysia";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import type { Edge } from "./edges/edge.ts";
import { answerFailure } from "./failure.ts";
import type { Handling } from "./mount.ts";
import { clientAddress } from "./pipeline/address.ts";
import { type AddressRules, checkAddress } from "./pipeline/guard-ip.ts";

/** An edge as an Elysia plugin: guarded, documented and answered for like the routes of contracts. */
export function mountEdge(edge: Edge, addresses: AddressRules, handling: Omit<Handling, "pipeline">) {
  const { headers, clearedCookie } = handling;
  return new Elysia({ name: edge.path }).route(
    edge.method,
    edge.path,
    async ({ request }) => {
      const requestId = requestIdOf(newTraceparent());
      const log = handling.log.child({ requestId, route: edge.path });
      const told = headers.of(request);
      const socketAddress = handling.server()?.requestIP(request)?.address ?? "";
      try {
        const client = clientAddress(socketAddress, request.headers, addresses.trustedProxies);
        checkAddress(edge.policy.guard, client, addresses, log);
        const response = await edge.handle({ request, requestId, socketAddress });
        for (const [name, value] of Object.entries(told)) response.headers.set(name, value);
        response.headers.set("x-request-id", requestId);
        return response;
      } catch (error) {
        return answerFailure(error, { requestId, headers: told, clearedCookie, log });
      }
    },
    {
      parse: "none",
      detail: {
        summary: edge.summary,
        description: edge.because,
        tags: ["gateway"],
        security: [],
        ...(edge.answers ? { responses: edge.answers } : {}),
      },
    },
  );
}
