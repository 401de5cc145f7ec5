import type { Server } from "bun";
import { Elysia } from "elysia";
import { bindings, type Contract } from "#shared/contract/define.ts";
import { declaredCodes } from "#shared/bus/authority.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { unrouted } from "./addresses.ts";
import type { AnswerHeaders } from "./answer-headers.ts";
import { type Exchange, type Mounted, RoutedRequest, type Stage } from "./exchange.ts";
import { answerFailure } from "./failure.ts";
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

export type Handling = {
  /** What each request goes through, in order. */
  pipeline: readonly Stage[];
  headers: AnswerHeaders;
  clearedCookie: string;
  /** The listening server; null where requests are handed in without one. */
  server(): Server<unknown> | null;
  log: Logger;
};

/** The routes of the registry as one Elysia plugin. */
export function mount(registry: readonly Contract[], handling: Handling) {
  const app = new Elysia({ name: "routes" });
  const owner = registry.find((contract) => contract.authority);
  const authorize = owner?.authority ? owner.routes[owner.authority.plain] : undefined;
  const inherited = owner && authorize ? declaredCodes(owner.service, authorize.errors) : {};
  for (const group of mountedRoutes(registry)) {
    const { contract, name, route, binding } = group[0] as Mounted;
    app.route(
      binding.method,
      binding.path,
      // Elysia reads this text and prepares what is named in it, and all there is for a context that is passed on whole.
      ({ request, params }) => handle(choose(group, params), request, params, handling),
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
  const first = group[0] as Mounted;
  if (group.length === 1) return first;
  const named = group.find(({ route }) => {
    const when = route.http?.when;
    return when !== undefined && params[when.param]?.startsWith(when.prefix) === true;
  });
  return named ?? first;
}

async function handle(
  mounted: Mounted,
  request: Request,
  // Where the path has no parameter Elysia sets none, whatever its types say.
  found: Record<string, string> | undefined,
  handling: Handling,
): Promise<Response> {
  const params = found ?? {};
  const server = handling.server();
  const socketAddress = server?.requestIP(request)?.address ?? "";
  const headers = handling.headers.of(request);
  const rest = (seconds: number) => server?.timeout(request, seconds);
  const x = new RoutedRequest(mounted, { request, params, socketAddress, headers, rest, log: handling.log });
  if (mounted.binding.alias) deprecate(x);
  const response = await answer(x, handling);
  for (const settle of x.settled) await settled(x, settle, response.status);
  return response;
}

async function answer(x: Exchange, handling: Handling): Promise<Response> {
  try {
    // The length of a transfer is only known by sending it to nobody.
    if (x.request.method === "HEAD" && x.route.http?.kind !== "json") throw unrouted(["GET", "OPTIONS"]);
    for (const stage of handling.pipeline) {
      const pending = stage(x);
      if (pending) await pending;
    }
    if (!x.response) throw new Error("the pipeline ended without a response");
    return x.response;
  } catch (error) {
    const { clearedCookie } = handling;
    const { requestId, headers, log, route } = x;
    // Of the routes with the refresh cookie, those that need a session besides are there to end it.
    const leaving = route.http?.cookie !== undefined && route.policy.auth === "session";
    return answerFailure(error, { requestId, headers, clearedCookie, leaving, log });
  }
}

async function settled(x: Exchange, settle: Exchange["settled"][number], status: number): Promise<void> {
  try {
    await settle(status);
  } catch (error) {
    x.log.warn({ err: error }, "what follows an answer was not done");
  }
}

/** Tells a client of an older address where the route lives now (RFC 9745, RFC 8288). */
function deprecate({ binding, route, params, headers }: Exchange): void {
  if (!binding.alias || !route.http) return;
  const successor = route.http.path.replaceAll(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  headers["deprecation"] = `@${Math.floor(Date.parse(binding.alias.since) / 1000)}`;
  headers["link"] = `<${successor}>; rel="successor-version"`;
}
