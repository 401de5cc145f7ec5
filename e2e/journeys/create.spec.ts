import { api } from "#e2e/client.ts";
import { expect, finish, type Operation, smallGame, test } from "#e2e/fixtures.ts";

test("the same create sent ten times at once with one key gives one server and ten equal answers", async ({
  ada,
}) => {
  const key = { "idempotency-key": "ten-at-once" };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () =>
      ada.send<{ operationId: string }>("POST", "/api/servers", smallGame, key),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 202));
  const [first] = answers;
  for (const { body } of answers) expect(body).toEqual(first?.body);
  const replayed = answers.filter(({ headers }) => headers.get("idempotency-replayed") === "true");
  expect(replayed).toHaveLength(9);
  const operation = await finish(ada, String(first?.body.operationId));
  expect(operation.status).toBe("succeeded");
  expect((await ada.get<{ servers: object[] }>("/api/servers")).body.servers).toHaveLength(1);

  // The first answer again, also at the older address and after the work is done.
  const later = await ada.send("POST", "/api/instances", smallGame, key);
  expect({ status: later.status, body: later.body }).toEqual({ status: 202, body: first?.body });
  const other = await ada.send("POST", "/api/servers", { ...smallGame, memoryMiB: 600 }, key);
  expect(other).toMatchObject({ status: 422, body: { code: "idempotency.key_reused", retryable: false } });
});

test("a key belongs to its account", async ({ ada, bob }) => {
  const key = { "idempotency-key": "the-same-for-both" };
  const one = await ada.send<{ operationId: string }>("POST", "/api/servers", smallGame, key);
  const two = await bob.send<{ operationId: string }>("POST", "/api/servers", smallGame, key);
  expect([one.status, two.status]).toEqual([202, 202]);
  expect(one.body.operationId).not.toBe(two.body.operationId);
  await Promise.all([finish(ada, one.body.operationId), finish(bob, two.body.operationId)]);
  // And so does the operation.
  expect((await bob.get(`/api/operations/${one.body.operationId}`)).status).toBe(404);
  expect((await ada.get<Operation>(`/api/provisioning/operations/${one.body.operationId}`)).body.status).toBe(
    "succeeded",
  );
});

test("twenty creates at once never exceed the plan, and what failed gives its share back", async ({
  ada,
}) => {
  const limits = (await ada.get<{ limits: { servers: number } }>("/api/billing")).body.limits;
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      ada.send<{ operationId: string }>(
        "POST",
        "/api/servers",
        { ...smallGame, name: `s${i}` },
        { "idempotency-key": `k${i}` },
      ),
    ),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted).toHaveLength(limits.servers);
  for (const refused of answers.filter(({ status }) => status !== 202))
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: "provisioning.quota_exceeded",
        details: { resource: "servers", limit: limits.servers, plan: "free" },
      },
    });
  const operations = await Promise.all(accepted.map(({ body }) => finish(ada, body.operationId)));
  expect(operations.map(({ status }) => status)).toEqual(accepted.map(() => "succeeded"));
  expect(new Set(operations.map(({ serverId }) => serverId)).size).toBe(limits.servers);
});

test("the catalogue says what can be created, and what it would need", async ({ url, ada }) => {
  const { body } = await api(url).get<{
    games: { id: string; variants: { id: string; available: boolean; versions: string[] }[] }[];
  }>("/api/catalog/game");
  const variants = body.games.flatMap((game) => game.variants);
  expect(variants.find(({ id }) => id === "flying-squid")).toMatchObject({ available: true });
  const needy = variants.find(({ available }) => !available);
  const refused = await ada.send("POST", "/api/servers", {
    ctype: "game",
    game: "minecraft",
    variant: needy?.id,
  });
  expect(refused).toMatchObject({ status: 422, body: { code: "provisioning.engine_unavailable" } });
  const unknown = await ada.send("POST", "/api/servers", { ctype: "game", game: "chess" });
  expect(unknown).toMatchObject({ status: 422, body: { code: "provisioning.unknown_engine" } });
});
