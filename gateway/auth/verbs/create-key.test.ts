import { describe, expect, test } from "bun:test";
import { ada, authForTest, settings } from "../testing/auth.ts";
import { keyFor } from "../testing/keys.ts";

const input = { name: "deploy", scopes: ["servers:read", "servers:read", "servers:power"] };

describe("createKey", () => {
  test("201: the key, shown this once, and what it may do; on record without its secret", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const expiresAt = "2031-01-01T00:00:00.000Z";
    const reply = await auth.ask("createKey", { ...input, cidrs: ["192.0.2.0/24", "::1"], expiresAt }, actor);
    const { key, apiKey } = reply as { key: string; apiKey: { id: string } };
    expect(key).toMatch(/^zpk_[0-9a-z]{26}_[\w-]{43}$/);
    expect(apiKey as unknown).toEqual({
      id: `key_${key.split("_")[1]}`,
      name: "deploy",
      scopes: ["servers:read", "servers:power"],
      cidrs: ["192.0.2.0/24", "::1"],
      expiresAt,
      lastUsedAt: null,
      createdAt: expect.any(String),
    });
    const secret = key.slice("zpk_".length + 27);
    const rows = await auth.query(
      (tx) => tx`
      select row_to_json(api_key)::text as text from api_key
      union all select row_to_json(audit)::text from audit`,
    );
    for (const row of rows) expect(row["text"]).not.toContain(secret);
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: actor.id,
      action: "key.create",
      target: apiKey.id,
      via: actor.via,
    });
  });

  test("409 gateway.key_name_taken: in whatever case; another account may have the name", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    await keyFor(auth, actor);
    await keyFor(auth, bob);
    expect(keyFor(auth, actor, { name: "DEPLOY" })).rejects.toMatchObject({
      status: 409,
      code: "gateway.key_name_taken",
    });
  });

  test("409 gateway.key_limit: of many at once no more than fit", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const answers = await Promise.allSettled(
      Array.from({ length: settings.maxKeys + 3 }, (_, i) => keyFor(auth, actor, { name: `key ${i}` })),
    );
    const refused = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
    expect(refused).toHaveLength(3);
    for (const fault of refused)
      expect(fault).toMatchObject({
        status: 409,
        code: "gateway.key_limit",
        details: { limit: settings.maxKeys },
      });
  });

  test("403 gateway.key_scope_denied: an operator's scope for a customer; an operator may have it", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const scopes = ["servers:read", "admin:read"];
    expect(keyFor(auth, actor, { scopes })).rejects.toMatchObject({
      status: 403,
      code: "gateway.key_scope_denied",
      details: { scope: "admin:read" },
    });
    await auth.query((tx) => tx`update account set role = 'operator'`);
    const { key } = await keyFor(auth, actor, { scopes });
    expect(await auth.actorOf(key)).toMatchObject({ role: "operator", scopes });
  });

  test("422 gateway.key_expiry_past", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const expiresAt = new Date(auth.clock.now()).toISOString();
    expect(keyFor(auth, actor, { expiresAt })).rejects.toMatchObject({
      status: 422,
      code: "gateway.key_expiry_past",
    });
  });

  test("400 request.invalid: no name, no scope, an unknown one, what is no address range", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    for (const change of [
      { name: " " },
      { name: "a\u0000" },
      { scopes: [] },
      { scopes: ["everything"] },
      { cidrs: ["192.0.2.0/33"] },
      { cidrs: ["example.org"] },
      { cidrs: ["::ffff:192.0.2.0/64"] },
      { expiresAt: "tomorrow" },
    ])
      expect(keyFor(auth, actor, change)).rejects.toMatchObject({ code: "request.invalid" });
  });

  test("401 auth.invalid_token: the account is gone while its token still holds", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.query((tx) => tx`delete from account`);
    expect(keyFor(auth, actor)).rejects.toMatchObject({ status: 401, code: "auth.invalid_token" });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("createKey", input)).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
