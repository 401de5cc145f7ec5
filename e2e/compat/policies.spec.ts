import { gateMatrix, type ServerBillingState } from "#services/billing/contract.ts";
import type { Api, Reply } from "#e2e/client.ts";
import { api, customer, operator } from "#e2e/client.ts";
import { expect, gameServer, type Server, test } from "#e2e/fixtures.ts";
import { allRoutes, type Bound, requestOf } from "#e2e/routes.ts";

// Generated from the contracts: a route that is added is tested here without a line being written, and cannot be
// forgotten. What each of them answers to the right caller is tested beside its verb.

const protectedRoutes = allRoutes.filter(({ route }) => ["session", "operator"].includes(route.policy.auth));
const operatorRoutes = allRoutes.filter(({ route }) => route.policy.auth === "operator");
const serverRoutes = allRoutes.filter(({ route }) => route.policy.server);

const send = (as: Api, bound: Bound, id?: string): Promise<Reply> => {
  const { method, path, body } = requestOf(bound, id);
  return as.send(method, path, body);
};
const isProblem = (reply: Reply, status: number, code: string) => {
  expect({ status: reply.status, code: reply.body["code"] }, JSON.stringify(reply.body)).toEqual({
    status,
    code,
  });
  expect(reply.headers.get("content-type")).toBe("application/problem+json");
  expect(reply.body["instance"]).toBe(reply.headers.get("x-request-id"));
};

test("there are routes of every kind to be tested", () => {
  expect(protectedRoutes.length).toBeGreaterThan(10);
  expect(operatorRoutes.length).toBeGreaterThan(0);
  expect(serverRoutes.length).toBeGreaterThan(4);
});

for (const bound of protectedRoutes) {
  test(`${bound.label}: 401 auth.required without a token`, async ({ url }) => {
    isProblem(await send(api(url), bound), 401, "auth.required");
  });

  test(`${bound.label}: 401 auth.invalid_token with a token of somebody's own making`, async ({
    url,
    ada,
  }) => {
    const [head = "", claims = "", signature = ""] = ada.token.split(".");
    const forged = `${head}.${claims}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    isProblem(await send(api(url, forged), bound), 401, "auth.invalid_token");
    isProblem(await send(api(url, "nonsense"), bound), 401, "auth.invalid_token");
  });
}

for (const bound of protectedRoutes)
  test(`${bound.label}: 401 before anything of the request is read`, async ({ url }) => {
    const { method, path } = requestOf(bound, "no-number");
    const body = method === "GET" ? {} : { body: "{" };
    const response = await fetch(url + path, { method, headers: { "content-type": "text/plain" }, ...body });
    expect({ status: response.status, code: ((await response.json()) as { code: string }).code }).toEqual({
      status: 401,
      code: "auth.required",
    });
  });

for (const bound of operatorRoutes)
  test(`${bound.label}: 403 auth.forbidden for a customer`, async ({ ada }) => {
    isProblem(await send(ada, bound), 403, "auth.forbidden");
    const { method, path } = requestOf(bound);
    isProblem(await ada.send(method, path, {}), 403, "auth.forbidden");
  });

test.describe("routes of one server", () => {
  let server: Server;
  let owner: Api & { accountId: string };
  let admin: Api;
  test.beforeAll(async () => {
    const url = process.env["E2E_URL"] ?? "";
    admin = await operator(
      url,
      JSON.parse(process.env["E2E_OPERATOR"] ?? "{}") as { email: string; password: string },
    );
    owner = await customer(url);
    server = await gameServer(owner);
  });

  for (const bound of serverRoutes) {
    test(`${bound.label}: another customer gets the 404 of a server that does not exist`, async ({ bob }) => {
      const foreign = await send(bob, bound, server.id);
      const absent = await send(bob, bound, "999999");
      isProblem(foreign, 404, "servers.not_found");
      const { instance: _1, ...said } = foreign.body;
      const { instance: _2, ...saidOfNothing } = absent.body;
      expect(said).toEqual(saidOfNothing);
    });
  }

  const states: ServerBillingState[] = ["backup_blocked", "suspended_shutdown", "retained"];
  for (const state of states)
    test(`while billing says ${state}, exactly the routes that the matrix closes answer 402`, async () => {
      const path = `/api/admin/billing/accounts/${owner.accountId}/override`;
      const set = await admin.send("PUT", path, { serverBillingState: state, reason: "a test of the gate" });
      expect(set.status, JSON.stringify(set.body)).toBe(200);
      try {
        await expect
          .poll(
            async () =>
              (await owner.get<{ billingState: string }>(`/api/servers/${server.id}`)).body.billingState,
          )
          .toBe(state);
        for (const bound of serverRoutes) {
          const action = bound.route.policy.server as keyof typeof gateMatrix;
          const open = gateMatrix[action].includes(state);
          const reply = await send(owner, bound, server.id);
          expect({ route: bound.label, gated: reply.status === 402 }, JSON.stringify(reply.body)).toEqual({
            route: bound.label,
            gated: !open,
          });
          if (open) continue;
          isProblem(reply, 402, "billing.gated");
          expect(reply.body["details"]).toMatchObject({ state, action, resolveUrl: expect.any(String) });
        }
        const create = await owner.send("POST", "/api/servers", { ctype: "game" });
        isProblem(create, 402, "billing.gated");
      } finally {
        expect((await admin.send("DELETE", path)).status).toBe(200);
      }
      await expect
        .poll(
          async () =>
            (await owner.get<{ billingState: string }>(`/api/servers/${server.id}`)).body.billingState,
        )
        .toBe("allowed");
    });
});
