import { serverActions } from "./authority.ts";
import { bindings, type Contract, type Route } from "./define.ts";
import { isOperatorScope } from "./scope.ts";

/** What the type system cannot see of a registry, as sentences; empty when all is well. */
export function problemsOf(registry: readonly Contract[]): string[] {
  const routes = registry.flatMap((contract) =>
    Object.entries(contract.routes).map(([name, route]) => ({
      at: `${contract.service}.${name}`,
      contract,
      route,
    })),
  );
  const names = new Set(routes.map(({ at }) => at));
  const events = new Set(
    registry.flatMap((c) => Object.keys(c.events).map((event) => `${c.service}.${event}`)),
  );
  const subjects = [...routes.map(({ route }) => route.subject), ...registry.flatMap(toldSubjects)];
  const needAuthority = routes.some(({ route }) => route.policy.server);
  return [
    ...repeated(subjects).map((subject) => `the subject ${subject} is declared twice`),
    ...repeated(routes.flatMap(({ route }) => addresses(route))).map(
      (a) => `the address ${a} is bound twice`,
    ),
    ...routes.flatMap(({ at, route }) => routeProblems(route).map((problem) => `${at}: ${problem}`)),
    ...routes
      .filter(({ contract, route }) => isExclusive(route) && contract.operations === undefined)
      .map(({ at }) => `${at}: an exclusive action needs a contract with a prefix for \`operations\``),
    ...registry.flatMap((c) => [
      ...c.calls
        .filter((call) => !names.has(call))
        .map((call) => `${c.service} calls ${call}, which nobody declares`),
      ...c.consumes
        .filter((e) => !events.has(e))
        .map((e) => `${c.service} consumes ${e}, which nobody declares`),
      ...Object.values(c.authority ?? {})
        .filter((route) => !c.routes[route])
        .map((route) => `${c.service} names ${route} as its authority, which it does not declare`),
    ]),
    ...(needAuthority && registry.filter((c) => c.authority).length !== 1
      ? ["policy.server needs exactly one contract with an authority"]
      : []),
  ];
}

const isExclusive = ({ policy }: Route) =>
  policy.server !== undefined && serverActions[policy.server].exclusive;

const toldSubjects = ({ events, broadcasts = {} }: Contract) =>
  [...Object.values(events), ...Object.values(broadcasts)].map(({ subject }) => subject);

const repeated = (values: string[]) => [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];

/** Method and path with its parameters made anonymous: `/a/:x` and `/a/:y` are one address. */
function addresses(route: Route): string[] {
  const suffix = route.http?.when ? ` (${route.http.when.prefix})` : "";
  return bindings(route).map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, ":")}${suffix}`);
}

export const pathParameters = (path: string): string[] =>
  [...path.matchAll(/:(\w+)/g)].map((m) => m[1] as string);

function routeProblems(route: Route): string[] {
  const { policy, http, request } = route;
  const fields = new Set(Object.keys(request.shape));
  const said: string[] = [];
  const must = (holds: boolean, sentence: string) => void (holds || said.push(sentence));
  must(!policy.server || fields.has("id"), "policy.server needs a request with `id`");
  must(!policy.agent || policy.server !== undefined, "policy.agent needs policy.server");
  must(
    policy.auth !== "operator" || policy.guard === "operator",
    "operators' routes carry the operator guard",
  );
  must(policy.auth !== "internal" || policy.guard === "internal", "internal routes carry the internal guard");
  must(
    (policy.auth === "service") === (http === undefined),
    "routes of services have no address on HTTP, all others have",
  );
  must(
    !policy.scope || policy.auth === "session" || policy.auth === "operator",
    "a scope belongs to a route that asks for an account",
  );
  must(
    !policy.scope || isOperatorScope(policy.scope) === (policy.auth === "operator"),
    "operators' routes, and they alone, ask for an operator's scope",
  );
  must(!policy.limit || http !== undefined, "a rate limit belongs to a route on HTTP");
  must(policy.timeoutMs > 0 && policy.timeoutMs <= 60_000, "timeoutMs lies between 1 and 60,000");
  for (const [key, { status }] of Object.entries(route.errors))
    must(status >= 400 && status <= 599, `the error ${key} has the status ${status}`);
  if (!http) return said;
  must(route.example !== undefined, "a route on HTTP shows an example");
  const example = request.safeParse(route.example ?? {});
  must(
    example.success,
    `its example does not match its request (${example.error?.issues[0]?.path.join(".")})`,
  );
  must(http.method !== "GET" || policy.idempotency === "safe", "GET is safe");
  must(
    !http.when || pathParameters(http.path).includes(http.when.param),
    "`when` names a parameter of the path",
  );
  for (const binding of bindings(route))
    for (const parameter of pathParameters(binding.path))
      must(fields.has(parameter), `${binding.path} has a parameter that the request does not know`);
  const parameters = bindings(route).map(({ path }) => pathParameters(path).toSorted().join());
  must(new Set(parameters).size === 1, "aliases have the parameters of the canonical path");
  return said;
}
