import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";
import { keyFor } from "../testing/keys.ts";

describe("listKeys", () => {
  test("200: the account's own, the newest first, without their secrets", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const first = await keyFor(auth, actor);
    const second = await keyFor(auth, actor, { name: "status page" });
    await keyFor(auth, bob);
    await auth.actorOf(first.key);
    const reply = await auth.ask("listKeys", {}, actor);
    expect(reply).toMatchObject({
      keys: [
        { id: second.keyId, name: "status page", lastUsedAt: null },
        { id: first.keyId, name: "deploy", lastUsedAt: "2030-01-01T00:00:00.000Z" },
      ],
    });
    for (const { key } of [first, second])
      expect(JSON.stringify(reply)).not.toContain(key.slice("zpk_".length + 27));
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("listKeys", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
