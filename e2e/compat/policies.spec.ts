import { isOperatorScope, type Scope, scopes } from "#shared/contract/scope.ts";
import type { Api, Reply } from "#e2e/client.ts";
import { api, customer, operator } from "#e2e/client.ts";
import { expect, test } from "#e2e/fixtures.ts";
import { allRoutes, type Bound, requestOf } from "#e2e/routes.ts";
import { outdated, refused, signed, claimsOf } from "#e2e/tokens.ts";

// Generated from the contracts: a route that is added is tested here without a line being written, and cannot be
// forgotten. What each of them answers to the right caller is tested beside its verb.

const protectedRoutes = allRoutes.filter(({ route }) => ["session", "operator"].includes(route.policy.auth));
const operatorRoutes = allRoutes.filter(({ route }) => route.policy.auth === "operator");
const url = process.env["E2E_URL"] ?? "";

let ada: Api;
let admin: Api;
test.beforeAll(async () => {
  ada = await customer(url);
  const credentials = process.env["E2E_OPERATOR"] ?? "{}";
  admin = await operator(url, JSON.parse(credentials) as { email: string; password: string });
});

/** A request that changes nothing: a server that is not there, and for a route that makes one, a kind that is not. */
const send = (as: Api, bound: Bound): Promise<Reply> => {
  const { policy } = bound.route;
  const { method, path, body } = requestOf(bound, "999999999");
  const creates = policy.idempotency === "key" && !policy.server;
  return as.send(method, path, creates ? { ctype: "none" } : body);
};
const problemOf = ({ status, body, headers }: Reply) => ({
  status,
  code: body["code"],
  type: headers.get("content-type"),
  identified: body["instance"] === headers.get("x-request-id"),
});
const problem = (status: number, code: string) => ({
  status,
  code,
  type: "application/problem+json",
  identified: true,
});

/** What a route answers to each of several tokens, by what the token is. */
async function answersTo(bound: Bound, tokens: Record<string, string>) {
  const asked = Object.entries(tokens).map(async ([what, token]) => [
    what,
    await send(api(url, token), bound),
  ]);
  return Object.fromEntries((await Promise.all(asked)) as [string, Reply][]);
}

test("there are routes of every kind to be tested", () => {
  expect(protectedRoutes.length).toBeGreaterThan(20);
  expect(operatorRoutes.length).toBeGreaterThan(2);
});

test("what the tests below sign is accepted when nothing is wrong with it", async () => {
  const { status } = await api(url, signed(claimsOf(ada.token))).get("/api/auth/me");
  expect(status).toBe(200);
});

for (const bound of protectedRoutes) {
  test(`${bound.label}: 401 for every token that is not ours, and for none`, async () => {
    expect(problemOf(await send(api(url), bound))).toEqual(problem(401, "auth.required"));
    for (const [what, reply] of Object.entries(await answersTo(bound, refused(ada.token))))
      expect(problemOf(reply), what).toEqual(problem(401, "auth.invalid_token"));
  });

  test(`${bound.label}: 401 auth.session_outdated for a token that was ours, and its cookie is taken`, async () => {
    for (const [what, reply] of Object.entries(await answersTo(bound, outdated(ada.token)))) {
      expect(problemOf(reply), what).toEqual(problem(401, "auth.session_outdated"));
      expect(reply.headers.getSetCookie(), what).toEqual([
        expect.stringMatching(/^zpack_refresh=; Max-Age=0;/),
      ]);
    }
  });

  test(`${bound.label}: 401 before anything of the request is read`, async () => {
    const { method, path } = requestOf(bound, "no-number");
    const body = method === "GET" ? {} : { body: "{" };
    const response = await fetch(url + path, { method, headers: { "content-type": "text/plain" }, ...body });
    const { code } = (await response.json()) as { code: string };
    expect({ status: response.status, code }).toEqual({ status: 401, code: "auth.required" });
  });
}

for (const bound of operatorRoutes)
  test(`${bound.label}: 403 auth.forbidden for a customer`, async () => {
    expect(problemOf(await send(ada, bound))).toEqual(problem(403, "auth.forbidden"));
    const { method, path } = requestOf(bound);
    expect(problemOf(await ada.send(method, path, method === "GET" ? undefined : {}))).toEqual(
      problem(403, "auth.forbidden"),
    );
  });

for (const bound of allRoutes.filter(({ route }) => route.policy.guard === "internal"))
  test(`${bound.label}: 403 guard.ip_denied for whoever is forwarded by a proxy that nobody trusts`, async () => {
    const { method, path, body } = requestOf(bound);
    const reply = await api(url).send(method, path, body, { "x-forwarded-for": "127.0.0.1" });
    expect(problemOf(reply)).toEqual(problem(403, "guard.ip_denied"));
  });

test.describe("API keys", () => {
  const all = Object.keys(scopes) as Scope[];
  /** By scope: a key that holds it alone, and one that holds every other. */
  const only = new Map<Scope, Api>();
  const others = new Map<Scope, Api>();
  let everything: Api;

  test.beforeAll(async () => {
    const make = async (owner: Api, held: Scope[]) => {
      const name = `${held.length} ${held[0]} ${Math.random()}`;
      const { status, body } = await owner.send<{ key: string }>("POST", "/api/auth/keys", {
        name,
        scopes: held,
      });
      expect(status, JSON.stringify(body)).toBe(201);
      return api(url, body.key);
    };
    const ofCustomers = all.filter((scope) => !isOperatorScope(scope));
    everything = await make(ada, ofCustomers);
    for (const scope of all) {
      const [owner, possible] = isOperatorScope(scope) ? [admin, all] : [ada, ofCustomers];
      only.set(scope, await make(owner, [scope]));
      others.set(
        scope,
        await make(
          owner,
          possible.filter((other) => other !== scope),
        ),
      );
    }
  });

  for (const bound of protectedRoutes) {
    const { scope, auth } = bound.route.policy;
    if (scope)
      test(`${bound.label}: only with a key that holds ${scope}`, async () => {
        const without = await send(others.get(scope) as Api, bound);
        expect(problemOf(without)).toEqual(problem(403, "auth.scope_missing"));
        expect(without.body["details"]).toEqual({ scope });
        const { status, body } = await send(only.get(scope) as Api, bound);
        expect([401, 403], JSON.stringify(body)).not.toContain(status);
      });
    else
      test(`${bound.label}: never with a key`, async () => {
        const code = auth === "operator" ? "auth.forbidden" : "auth.session_needed";
        expect(problemOf(await send(everything, bound))).toEqual(problem(403, code));
      });
  }
});
