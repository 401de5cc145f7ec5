import { claimsOf } from "#e2e/tokens.ts";
import { expect, test } from "#e2e/fixtures.ts";
import { allRoutes, requestOf } from "#e2e/routes.ts";

// Generated from the contracts: whatever an account changes at a service leaves a line, whoever adds the route.

type Entry = Record<"requestId" | "actor" | "via" | "action" | "target" | "address", string> & {
  status: number | null;
};

const changes = allRoutes.filter(
  ({ contract, route: { policy } }) =>
    contract.edge !== true && policy.auth === "session" && policy.idempotency !== "safe",
);

test("every change that an account asks a service for is in its audit log, with how it ended", async ({
  ada,
  bob,
}) => {
  expect(changes.length).toBeGreaterThan(5);
  const asked = [];
  for (const bound of changes) {
    const { method, path, body } = requestOf(bound, "999999999");
    const creates = bound.route.policy.server === undefined;
    const sent = creates ? { ctype: "game", variant: "there-is-none" } : body;
    const { status, headers } = await ada.send(method, path, sent);
    asked.push({
      requestId: headers.get("x-request-id"),
      action: `${bound.contract.service}.${bound.name}`,
      target: creates ? null : "999999999",
      status,
    });
  }
  const entriesOf = async (api: typeof ada) =>
    (await api.get<{ entries: Entry[] }>("/api/audit?limit=200")).body.entries;
  const mine = await entriesOf(ada);
  for (const expected of asked)
    expect(mine).toContainEqual(
      expect.objectContaining({
        ...expected,
        actor: ada.accountId,
        via: claimsOf(ada.token)["sid"],
        address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
      }),
    );
  const foreign = new Set((await entriesOf(bob)).map((entry) => entry.requestId));
  for (const { requestId } of asked) expect(foreign).not.toContain(requestId);
});

test("what no contract accepts is no change, and leaves none", async ({ ada }) => {
  const { status, headers } = await ada.send("POST", "/api/servers", { ctype: "none" });
  expect(status).toBe(400);
  const { entries } = (await ada.get<{ entries: Entry[] }>("/api/audit")).body;
  expect(entries.map((entry) => entry.requestId)).not.toContain(headers.get("x-request-id"));
});
