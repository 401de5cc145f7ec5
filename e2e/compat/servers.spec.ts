import { gateMatrix, type ServerBillingState } from "#services/billing/contract.ts";
import type { Api, Reply } from "#e2e/client.ts";
import { customer, operator } from "#e2e/client.ts";
import { expect, gameServer, type Server, test } from "#e2e/fixtures.ts";
import { allRoutes, type Bound, requestOf } from "#e2e/routes.ts";

// Generated from the contracts, like the policies of accounts: every route of one server, whoever adds it.

// What would end a server is tried first, while it runs and is refused for that; what stops its host comes last.
const weight = ({ route, binding }: Bound) =>
  route.policy.server === "server.delete" ? 0 : binding.path.includes("/host/") ? 2 : 1;
const serverRoutes = allRoutes
  .filter(({ route }) => route.policy.server)
  .toSorted((a, b) => weight(a) - weight(b));
const states: ServerBillingState[] = ["backup_blocked", "suspended_shutdown", "retained"];
const url = process.env["E2E_URL"] ?? "";

const send = (as: Api, bound: Bound, id: string): Promise<Reply> => {
  const { method, path, body } = requestOf(bound, id);
  return as.send(method, path, body);
};

let owner: Api & { accountId: string };
let admin: Api;
/** One server for each state: what is open in one leaves its mark. */
const servers = new Map<ServerBillingState, Server>();

test.beforeAll(async () => {
  const credentials = process.env["E2E_OPERATOR"] ?? "{}";
  admin = await operator(url, JSON.parse(credentials) as { email: string; password: string });
  owner = await customer(url);
  await Promise.all(
    states.map(async (state) => servers.set(state, await gameServer(owner, { name: state }))),
  );
});

test("there are routes of one server to be tested", () => {
  expect(serverRoutes.length).toBeGreaterThan(8);
});

for (const bound of serverRoutes)
  test(`${bound.label}: another customer gets the 404 of a server that does not exist`, async ({ bob }) => {
    const { id } = servers.get("backup_blocked") as Server;
    const [foreign, absent] = await Promise.all([send(bob, bound, id), send(bob, bound, "999999")]);
    const { instance: asked, ...said } = foreign.body;
    const { instance: _, ...saidOfNothing } = absent.body;
    expect(said).toMatchObject({ status: 404, code: "servers.not_found" });
    expect(said).toEqual(saidOfNothing);
    expect(asked).toBe(foreign.headers.get("x-request-id"));
    expect(foreign.status).toBe(404);
  });

for (const state of states)
  test(`while billing says ${state}, exactly the routes that the matrix closes answer 402`, async () => {
    const { id } = servers.get(state) as Server;
    const path = `/api/admin/billing/accounts/${owner.accountId}/override`;
    const set = await admin.send("PUT", path, { serverBillingState: state, reason: "a test of the gate" });
    expect(set.status, JSON.stringify(set.body)).toBe(200);
    const billingState = async () =>
      (await owner.get<{ billingState: string }>(`/api/servers/${id}`)).body.billingState;
    try {
      await expect.poll(billingState).toBe(state);
      for (const bound of serverRoutes) {
        const action = bound.route.policy.server as keyof typeof gateMatrix;
        const open = gateMatrix[action].includes(state);
        const reply = await send(owner, bound, id);
        expect({ route: bound.label, gated: reply.status === 402 }, JSON.stringify(reply.body)).toEqual({
          route: bound.label,
          gated: !open,
        });
        if (open) continue;
        expect(reply.body).toMatchObject({ status: 402, code: "billing.gated" });
        expect(reply.body["details"]).toMatchObject({ state, action, resolveUrl: expect.any(String) });
      }
      const create = await owner.send("POST", "/api/servers", { ctype: "game" });
      expect(create.body).toMatchObject({ status: 402, code: "billing.gated" });
    } finally {
      expect((await admin.send("DELETE", path)).status).toBe(200);
    }
    await expect.poll(billingState).toBe("allowed");
  });
