import { describe, expect, test } from "bun:test";
import { declaredCodes } from "#shared/bus/authority.ts";
import { serverActions } from "#shared/contract/authority.ts";
import { gateMatrix } from "#services/billing/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { failures } from "./openapi-failures.ts";
import { components, operation } from "./openapi.ts";
import { mountedRoutes } from "./mount.ts";
import { registry } from "./registry.ts";
import { front } from "./testing/gateway.ts";

type Response = { description: string; content?: object };
type Operation = {
  description?: string;
  security: Record<string, string[]>[];
  responses: Record<string, Response>;
};

const inherited = declaredCodes(servers.service, servers.routes.authorize.errors);
const all = mountedRoutes(registry).flat();
const documented = all.map((mounted) => {
  const { contract, name, route, binding } = mounted;
  return { ...mounted, doc: operation(contract, name, route, binding, inherited) as Operation };
});
const says = (doc: Operation, status: number, code: string) =>
  doc.responses[status]?.description.includes(`\`${code}\``) === true;

describe("an operation", () => {
  test("of one server is 402 where the matrix can close it, and 409 where it needs the lock", () => {
    const ofServers = documented.filter(({ route }) => route.policy.server);
    expect(ofServers.length).toBeGreaterThan(8);
    for (const { route, binding, doc } of ofServers) {
      const action = route.policy.server ?? "server.read";
      const closed = gateMatrix[action].length < 4;
      expect([binding.path, says(doc, 402, "billing.gated")]).toEqual([binding.path, closed]);
      const { exclusive } = serverActions[action];
      expect([binding.path, says(doc, 409, "servers.busy")]).toEqual([binding.path, exclusive]);
      expect(says(doc, 404, "servers.not_found")).toBe(true);
    }
  });

  test("that is protected names its 401, and the scope that a key needs", () => {
    for (const { route, doc } of documented) {
      const asks = route.policy.auth === "session" || route.policy.auth === "operator";
      const { scope } = route.policy;
      expect(says(doc, 401, "auth.required")).toBe(asks);
      expect(says(doc, 401, "auth.session_outdated")).toBe(asks);
      expect(says(doc, 403, "auth.scope_missing")).toBe(scope !== undefined);
      expect(says(doc, 403, "auth.session_needed")).toBe(asks && scope === undefined);
      if (route.policy.auth === "operator") expect(says(doc, 403, "auth.forbidden")).toBe(true);
      expect(doc.security).toEqual(asks ? [{ bearer: [] }, ...(scope ? [{ apiKey: [scope] }] : [])] : []);
      if (scope) expect(doc.description).toContain(`\`${scope}\``);
    }
  });

  test("names what the edge may answer besides", () => {
    for (const { route, doc } of documented) {
      const { policy, http } = route;
      expect(says(doc, 400, "request.invalid")).toBe(true);
      expect(says(doc, 503, "service.unavailable") && says(doc, 504, "service.timeout")).toBe(true);
      const asks = policy.auth === "session" || policy.auth === "operator";
      const limited = policy.limit !== undefined || (asks && policy.idempotency !== "safe");
      expect(says(doc, 429, "limit.exceeded")).toBe(limited);
      const takesJson = http?.kind === "json" && http.method !== "GET";
      expect(says(doc, 408, "request.timeout")).toBe(takesJson);
      expect(says(doc, 400, "idempotency.key_invalid")).toBe(policy.idempotency === "key");
      expect(says(doc, 422, "idempotency.key_reused")).toBe(policy.idempotency === "key");
      expect(says(doc, 403, "guard.origin_denied")).toBe(http?.cookie !== undefined);
      expect(says(doc, 403, "guard.ip_denied")).toBe(policy.guard !== "none");
    }
  });
});

test("a route of other machines asks for no account, and names its guard", () => {
  const told = failures(front, front.routes.callback, {}) as Record<string, Response>;
  expect(told["401"]).toBeUndefined();
  expect(told["403"]?.description).toBe("`guard.ip_denied`: This address may not use this route");
});

test("both ways to sign a request are described", () => {
  expect(Object.keys(components.securitySchemes)).toEqual(["bearer", "apiKey"]);
  expect(components.securitySchemes.apiKey.description).toContain("`servers:read`");
});
