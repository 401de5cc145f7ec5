import { declaredCodes } from "#shared/bus/authority.ts";
import { serverActions } from "#shared/contract/authority.ts";
import type { Contract, ErrorDef, Policy, Route } from "#shared/contract/define.ts";
import { type CoreCode, coreFaults } from "#shared/fault/core.ts";
import { bodyTimeout } from "./pipeline/body.ts";
import { isChange } from "./pipeline/limit.ts";
import { gateMatrix, ServerBillingState } from "#services/billing/contract.ts";

const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };

/**
 * The failures of a route as OpenAPI responses: what it declares, what the owner of servers may say about the one it
 * names, and what its policy makes the gateway answer. `inherited` are the errors of the authority, by their code.
 */
export function failures(
  contract: Contract,
  route: Route,
  inherited: Record<string, ErrorDef>,
): Record<string, object> {
  const errors: Record<string, Pick<ErrorDef, "status" | "title">> = {
    ...declaredCodes(contract.service, route.errors),
    ...ofAuthority(route.policy, inherited),
    ...Object.fromEntries(coreCodes(route).map((code) => [code, coreFaults[code]])),
    ...(takesJson(route) ? { [bodyTimeout.code]: bodyTimeout } : {}),
  };
  const byStatus = Map.groupBy(Object.entries(errors), ([, { status }]) => String(status));
  const told = [...byStatus].map(([status, entries]) => [status, failure(entries)]);
  return { ...Object.fromEntries(told), default: { description: "Any other failure", content: problem } };
}

const failure = (entries: [code: string, Pick<ErrorDef, "title">][]) => ({
  description: entries.map(([code, { title }]) => `\`${code}\`: ${title}`).join("\n\n"),
  content: problem,
});

/** An action that billing never closes is never answered 402, and one that needs no lock never 409. */
function ofAuthority({ server }: Policy, inherited: Record<string, ErrorDef>): Record<string, ErrorDef> {
  if (!server) return {};
  const closed = gateMatrix[server].length < ServerBillingState.options.length;
  const { exclusive } = serverActions[server];
  return Object.fromEntries(
    Object.entries(inherited).filter(
      ([, { status }]) => (status !== 402 || closed) && (status !== 409 || exclusive),
    ),
  );
}

const takesJson = ({ http }: Route) => http?.kind === "json" && http.method !== "GET";

function coreCodes(route: Route): CoreCode[] {
  const { policy, http } = route;
  const { auth, guard, scope } = policy;
  const asks = auth === "session" || auth === "operator";
  const when = (holds: boolean, ...codes: CoreCode[]) => (holds ? codes : []);
  return [
    "request.invalid",
    ...when(policy.idempotency === "key", "idempotency.key_invalid", "idempotency.key_reused"),
    ...when(asks, "auth.required", "auth.invalid_token", "auth.session_outdated"),
    ...when(auth === "operator", "auth.forbidden"),
    ...when(asks, scope ? "auth.scope_missing" : "auth.session_needed"),
    ...when(guard !== "none", "guard.ip_denied"),
    ...when(http?.cookie !== undefined, "guard.origin_denied"),
    ...when(takesJson(route), "request.too_large", "request.media_type"),
    ...when(policy.limit !== undefined || isChange(policy), "limit.exceeded"),
    "service.unavailable",
    "service.timeout",
  ];
}
