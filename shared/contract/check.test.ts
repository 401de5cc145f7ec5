import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { sample } from "#shared/testing/sample.ts";
import { problemsOf } from "./check.ts";
import type { Contract, Route } from "./define.ts";

const secret: Route = sample.routes.secret;
const others = Object.fromEntries(Object.entries(sample.routes).filter(([name]) => name !== "secret"));

/** The sample contract with one route changed. */
const withRoute = (route: Route, more: Partial<Contract> = {}): Contract[] => [
  { ...(sample as Contract), ...more, routes: { ...others, secret: route } },
];
const policy = (changes: Partial<Route["policy"]>): Route => ({
  ...secret,
  policy: { ...secret.policy, ...changes },
});
const http = (changes: Partial<NonNullable<Route["http"]>>): Route => {
  if (!secret.http) throw new Error("the sample route is on HTTP");
  return { ...secret, http: { ...secret.http, ...changes } };
};

describe("problemsOf", () => {
  test("finds nothing in a sound registry", () => expect(problemsOf([sample as Contract])).toEqual([]));

  test.each<[string, Contract[]]>([
    ["policy.server needs a request with `id`", withRoute(policy({ server: "server.read" }))],
    ["policy.agent needs policy.server", withRoute(policy({ agent: true }))],
    ["operators' routes carry the operator guard", withRoute(policy({ auth: "operator" }))],
    ["internal routes carry the internal guard", withRoute(policy({ auth: "internal" }))],
    ["routes of services have no address on HTTP", withRoute(policy({ auth: "service" }))],
    ["a scope belongs to a route that asks", withRoute(policy({ auth: "public", scope: "servers:read" }))],
    ["and they alone, ask for an operator's scope", withRoute(policy({ scope: "admin:read" }))],
    [
      "a rate limit belongs to a route on HTTP",
      withRoute({
        subject: "x",
        summary: "x",
        policy: { ...secret.policy, limit: "login" },
        request: secret.request,
        reply: secret.reply,
        errors: {},
      }),
    ],
    ["timeoutMs lies between", withRoute(policy({ timeoutMs: 0 }))],
    ["GET is safe", withRoute(policy({ idempotency: "natural" }))],
    ["has the status 200", withRoute({ ...secret, errors: { odd: { status: 200, title: "odd" } } })],
    ["its example does not match", withRoute({ ...secret, request: z.object({ need: z.string() }) })],
    ["has a parameter that the request does not know", withRoute(http({ path: "/api/:other" }))],
    ["`when` names a parameter of the path", withRoute(http({ when: { param: "x", prefix: "a_" } }))],
    [
      "the address GET /api/servers/:/file is bound twice",
      withRoute(http({ path: "/api/servers/:other/file" })),
    ],
    [
      "the subject rpc.sample.v1.word.echo is declared twice",
      withRoute({ ...secret, subject: sample.routes.echo.subject }),
    ],
    ["calls other.thing, which nobody declares", withRoute(secret, { calls: ["other.thing"] })],
    ["consumes other.thing, which nobody declares", withRoute(secret, { consumes: ["other.thing"] })],
    [
      "aliases have the parameters of the canonical path",
      withRoute({
        ...sample.routes.echo,
        http: {
          ...sample.routes.echo.http,
          aliases: [
            { method: "POST", path: "/api/old/:id", since: "2026-01-01", reason: "older clients" },
            { method: "POST", path: "/api/older", since: "2026-01-01", reason: "the oldest clients" },
          ],
        },
      }),
    ],
    [
      "names nope as its authority",
      withRoute(secret, { authority: { plain: "nope", agent: "lock", unlock: "lock" } }),
    ],
  ])("says: %s", (sentence, registry) => {
    expect(problemsOf(registry).join("\n")).toContain(sentence);
  });

  test("says that a lock is held in the name of an operation", () => {
    const { operations: _, ...without } = sample as Contract;
    expect(problemsOf([without])).toEqual([
      "sample.lock: an exclusive action needs a contract with a prefix for `operations`",
    ]);
  });

  test("says that a gated route needs somebody who decides", () => {
    const { authority: _, ...without } = sample as Contract;
    expect(problemsOf([without]).join()).toContain("exactly one contract with an authority");
  });
});
