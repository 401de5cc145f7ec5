import { type Binding, bindings, type Contract, type Route } from "#shared/contract/define.ts";
import { registry } from "#gateway/registry.ts";

export type Bound = { label: string; contract: Contract; name: string; route: Route; binding: Binding };

/** Every address of every contract, canonical and older ones. */
export const allRoutes: readonly Bound[] = registry.flatMap((contract) =>
  Object.entries(contract.routes).flatMap(([name, route]) =>
    bindings(route).map((binding) => ({
      label: `${binding.method} ${binding.path} (${contract.service}.${name})`,
      contract,
      name,
      route,
      binding,
    })),
  ),
);

/** The example of a route as a request: path filled in, the rest as body or query; `id` names the server to use. */
export function requestOf(
  { route, binding }: Bound,
  id?: string,
): { method: string; path: string; body?: object } {
  const input: Record<string, unknown> = { ...route.example, ...(id === undefined ? {} : { id }) };
  const path = binding.path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = String(input[name]);
    delete input[name];
    return encodeURIComponent(value);
  });
  if (binding.method !== "GET") return { method: binding.method, path, body: input };
  const query = new URLSearchParams(
    Object.fromEntries(Object.entries(input).map(([key, value]) => [key, String(value)])),
  );
  return { method: "GET", path: query.size > 0 ? `${path}?${query.toString()}` : path };
}
