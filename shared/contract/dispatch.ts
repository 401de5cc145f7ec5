import type { z } from "zod";
import { coreFault, coreFaults } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Actor } from "./actor.ts";
import { serverActions, type ServerAction, type ServerFacts } from "./authority.ts";
import { errorCode, type ErrorDef, type Policy, type Route } from "./define.ts";
import type { Context, ReplyHeader, Service } from "./implement.ts";

/** What travels beside the input of a call, on the bus as headers. */
export type CallMeta = Omit<Context, "log" | "replyHeader">;

/** The owner of servers, as the mechanism sees it; injected, because the mechanism knows no service by name. */
export type Authority = {
  /** Ownership, billing gate and, for exclusive actions, the operation lock under `operationId`. */
  authorize(
    ask: { serverId: string; action: ServerAction; agent: boolean; operationId: string | undefined },
    meta: CallMeta,
  ): Promise<ServerFacts>;
  /** Gives back the lock of a verb that failed; only the holder of `fence` can. */
  unlock(lock: { instanceId: string; operationId: string; fence: number }): Promise<void>;
  /** Errors that `authorize` may end with, keyed by their full code. */
  errors: Record<string, ErrorDef>;
};

export type Hooks = {
  log: Logger;
  /** Needed as soon as one route of the service declares `policy.server`. */
  authority?: Authority;
  /** An id for the operation that an exclusive verb may start; needed as soon as one route is exclusive. */
  newOperationId?: () => string;
};

export type Answer = { reply: unknown; headers: Partial<Record<ReplyHeader, string>> };

/**
 * One call of one route: input, policy, authority, verb, reply, in this order. The one place where policies are
 * applied, whatever the transport. Rejects with a {@link Fault} that the route declares, or with a core fault; with
 * `service.timeout` when the call's signal aborts first, however long the verb goes on by itself.
 */
export async function dispatch(
  service: Service,
  name: string,
  raw: unknown,
  meta: CallMeta,
  hooks: Hooks,
): Promise<Answer> {
  const { signal } = meta;
  if (signal.aborted) throw coreFault("service.timeout");
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(coreFault("service.timeout"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([perform(service, name, raw, meta, hooks), aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function perform(
  service: Service,
  name: string,
  raw: unknown,
  meta: CallMeta,
  hooks: Hooks,
): Promise<Answer> {
  const { contract } = service;
  const route = contract.routes[name];
  const handler = service.handlers[name] as ((call: unknown) => Promise<unknown>) | undefined;
  if (!route || !handler) throw coreFault("route.not_found");
  const log = hooks.log.child({ requestId: meta.requestId, route: `${contract.service}.${name}` });
  const headers: Answer["headers"] = {};
  const ctx: Context = { ...meta, log, replyHeader: (key, value) => void (headers[key] = value) };
  let facts: ServerFacts | undefined;
  try {
    checkActor(route.policy, meta.actor);
    const input = validate(route.request, raw);
    facts = await authorized(route.policy, input, meta, hooks);
    const reply = await handler({ input, ctx, server: facts, fail: failer(contract.service, route) });
    if (headers["set-cookie"] && !route.http?.cookie) throw new Error("the route declares no cookie");
    return { reply: route.reply.parse(reply) ?? null, headers };
  } catch (error) {
    if (facts?.lock) await giveBack(hooks, facts, log);
    throw declaredFault(contract.service, route, hooks.authority, error, log);
  }
}

/**
 * Routes for other services, public ones and those guarded by address look at no account. A service that acts on its
 * own (a worker, the controller) may call any route: its rights on the bus have already decided.
 */
export function checkActor({ auth, scope }: Policy, actor: Actor): void {
  if (actor.kind === "service" || (auth !== "session" && auth !== "operator")) return;
  if (actor.kind !== "account") throw coreFault("auth.required");
  if (auth === "operator" && actor.role !== "operator") throw coreFault("auth.forbidden");
  if (!actor.scopes) return;
  if (!scope) throw coreFault("auth.session_needed");
  if (!actor.scopes.includes(scope)) throw coreFault("auth.scope_missing", { details: { scope } });
}

/** Parses by the contract; every issue names its path, so that a client can show it beside the field. */
export function validate<Z extends z.ZodType>(schema: Z, raw: unknown): z.output<Z> {
  const result = schema.safeParse(raw ?? {});
  if (result.success) return result.data;
  const issues = result.error.issues
    .slice(0, 50)
    .map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const first = issues[0];
  throw coreFault("request.invalid", {
    ...(first ? { detail: first.path ? `${first.path}: ${first.message}` : first.message } : {}),
    details: { issues },
  });
}

async function authorized(policy: Policy, input: unknown, meta: CallMeta, hooks: Hooks) {
  if (!policy.server) return undefined;
  if (!hooks.authority) throw new Error("policy.server without an authority");
  const { exclusive } = serverActions[policy.server];
  if (exclusive && !hooks.newOperationId)
    throw new Error("an exclusive action, and no name for its operation");
  return hooks.authority.authorize(
    {
      serverId: String((input as { id: unknown }).id),
      action: policy.server,
      agent: policy.agent === true,
      operationId: exclusive ? hooks.newOperationId?.() : undefined,
    },
    meta,
  );
}

/** The verb failed, so nothing goes on under its lock. If giving it back fails too, it expires by itself. */
async function giveBack(hooks: Hooks, facts: ServerFacts, log: Logger): Promise<void> {
  if (!facts.lock) return;
  await hooks.authority
    ?.unlock({ instanceId: facts.instanceId, ...facts.lock })
    .catch((err: unknown) => log.warn({ err }, "the operation lock was not given back; it will expire"));
}

function failer(service: string, route: Route) {
  return (
    key: string,
    extra: { detail?: string; details?: Record<string, unknown>; retryAfter?: number } = {},
  ) => {
    const definition = route.errors[key];
    if (!definition) throw new Error(`undeclared error ${key}`);
    const { status, title, retryable, details } = definition;
    const checked = details ? details.parse(extra.details) : undefined;
    throw new Fault({ ...extra, code: errorCode(service, key), status, title, retryable, details: checked });
  };
}

/** Lets pass what the route declares; everything else becomes `internal.error`, with the cause in the log alone. */
function declaredFault(
  service: string,
  route: Route,
  authority: Authority | undefined,
  error: unknown,
  log: Logger,
): Fault {
  if (error instanceof Fault) {
    const declared =
      error.code in coreFaults ||
      Object.keys(route.errors).some((key) => errorCode(service, key) === error.code) ||
      (route.policy.server !== undefined && error.code in (authority?.errors ?? {}));
    if (declared) return error;
    log.error(
      { err: error, undeclared: error.code },
      "a verb ended with an error that its route does not declare",
    );
  } else log.error({ err: error }, "a verb failed");
  return coreFault("internal.error", {}, { cause: error });
}
