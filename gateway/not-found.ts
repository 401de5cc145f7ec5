import { bindings, type Contract } from "#shared/contract/define.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Edge } from "./edges/edge.ts";

/** 405 where the path exists with another method, 404 where nothing is. */
export function notFound(registry: readonly Contract[], edges: readonly Edge[], request: Request): Fault {
  const { pathname } = new URL(request.url);
  const known = [...registry.flatMap((c) => Object.values(c.routes).flatMap(bindings)), ...edges];
  const methods = known.filter(({ path }) => pattern(path).test(pathname)).map(({ method }) => method);
  if (methods.length === 0) return coreFault("route.not_found");
  return coreFault("route.method_not_allowed", { details: { allowed: [...new Set(methods)].toSorted() } });
}

const pattern = (path: string) => new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}$`);
