import { bindings, type Contract } from "#shared/contract/define.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Edge } from "./edges/edge.ts";

/** Which methods an address answers, OPTIONS and HEAD included; empty where nothing is. */
export type Addresses = { methodsOf(pathname: string): readonly string[] };

/** The addresses of every contract and every edge. */
export function addressesOf(registry: readonly Contract[], edges: readonly Edge[]): Addresses {
  const bound = [...registry.flatMap((c) => Object.values(c.routes).flatMap(bindings)), ...edges];
  const known = [...Map.groupBy(bound, ({ path }) => path)].map(([path, at]) => ({
    pattern: new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}$`),
    methods: at.map(({ method }) => method),
  }));
  return {
    methodsOf(pathname) {
      const methods = known.filter(({ pattern }) => pattern.test(pathname)).flatMap((at) => at.methods);
      if (methods.length === 0) return [];
      const implied = methods.includes("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"];
      return [...new Set([...methods, ...implied])].toSorted();
    },
  };
}

/** The path of a request as it was routed: of an absolute URL, without its query. */
export function pathOf(url: string): string {
  const path = url.slice(url.indexOf("/", "http://".length + 1));
  const end = path.indexOf("?");
  return end < 0 ? path : path.slice(0, end);
}

/** 405 where the path exists with other methods, 404 where nothing is. */
export function unrouted(allowed: readonly string[]): Fault {
  if (allowed.length === 0) return coreFault("route.not_found");
  return coreFault("route.method_not_allowed", { details: { allowed } });
}
