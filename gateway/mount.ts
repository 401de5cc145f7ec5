import { type Context, Elysia } from "elysia";
import { anonymous } from "#shared/contract/actor.ts";
import { bindings, type Contract } from "#shared/contract/define.ts";
import { declaredCodes } from "#shared/bus/authority.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { type Exchange, type Mounted, problemResponse, type Stage } from "./exchange.ts";
import { operation } from "./openapi.ts";

/** Every address of every contract. Several routes share one where a parameter's prefix tells them apart. */
export function mountedRoutes(registry: readonly Contract[]): Mounted[][] {
  const all = registry.flatMap((contract) =>
    Object.entries(contract.routes).flatMap(([name, route]) =>
      bindings(route).map((binding): Mounted => ({ contract, name, route, binding })),
    ),
  );
  return [...Map.groupBy(all, ({ binding }) => `${binding.method} ${binding.path}`).values()];
}

/** The routes of the registry as one Elysia plugin; `pipeline` is what each request goes through, in order. */
export function mount(registry: readonly Contract[], pipeline: readonly Stage[], log: Logger) {
  const app = new Elysia({ name: "routes" });
  const owner = registry.find((contract) => contract.authority);
  const authorize = owner?.authority ? owner.routes[owner.authority.plain] : undefined;
  const inherited = owner && authorize ? declaredCodes(owner.service, authorize.errors) : {};
  for (const group of mountedRoutes(registry)) {
    const { contract, name, route, binding } = group[0] as Mounted;
    app.route(
      binding.method,
      binding.path,
      (ctx: Context) => handle(choose(group, ctx.params), ctx, pipeline, log),
      {
        // Bodies are read by the pipeline, which can bound and refuse them in the one error shape.
        parse: "none",
        detail: operation(contract, name, route, binding, inherited),
      },
    );
  }
  return app;
}

function choose(group: readonly Mounted[], params: Record<string, string>): Mounted {
  const named = group.find(({ route }) => {
    const when = route.http?.when;
    return when !== undefined && params[when.param]?.startsWith(when.prefix) === true;
  });
  return named ?? (group[0] as Mounted);
}

async function handle(
  mounted: Mounted,
  ctx: Context,
  pipeline: readonly Stage[],
  log: Logger,
): Promise<Response> {
  const traceparent = newTraceparent();
  const requestId = requestIdOf(traceparent);
  const x: Exchange = {
    ...mounted,
    request: ctx.request,
    params: ctx.params,
    socketAddress: ctx.server?.requestIP(ctx.request)?.address ?? "",
    address: "",
    traceparent,
    requestId,
    actor: anonymous,
    input: {},
    log: log.child({ requestId, route: `${mounted.contract.service}.${mounted.name}` }),
  };
  const headers = deprecation(mounted, ctx.params);
  // A transfer has its own limits: a body may take hours, as long as it moves.
  if (mounted.route.http?.kind !== "json") ctx.server?.timeout(ctx.request, 0);
  try {
    for (const stage of pipeline) await stage(x);
    if (!x.response) throw new Error("the pipeline ended without a response");
    x.response.headers.set("x-request-id", requestId);
    for (const [name, value] of Object.entries(headers)) x.response.headers.set(name, value);
    return x.response;
  } catch (error) {
    if (!(error instanceof Fault)) x.log.error({ err: error }, "a request failed");
    const fault = error instanceof Fault ? error : coreFault("internal.error", {}, { cause: error });
    // So that the id in a customer's hand leads somewhere; the service has logged its cause under the same id.
    if (error instanceof Fault && fault.status >= 500)
      x.log.warn({ err: error, status: fault.status }, "a request was answered with a failure");
    return problemResponse(fault, requestId, headers);
  }
}

/** What tells a client of an older address where the route lives now (RFC 9745, RFC 8288). */
function deprecation({ binding, route }: Mounted, params: Record<string, string>): Record<string, string> {
  if (!binding.alias || !route.http) return {};
  const since = Math.floor(Date.parse(binding.alias.since) / 1000);
  const successor = route.http.path.replaceAll(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  return { deprecation: `@${since}`, link: `<${successor}>; rel="successor-version"` };
}
