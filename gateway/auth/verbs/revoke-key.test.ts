import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";
import { keyFor } from "../testing/keys.ts";

describe("revokeKey", () => {
  test("200: it is refused from the next request on, and that is on record", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { key, keyId } = await keyFor(auth, actor);
    expect(await auth.actorOf(key)).toMatchObject({ via: keyId });
    expect(await auth.ask("revokeKey", { keyId }, actor)).toEqual({ ok: true });
    expect(auth.actorOf(key)).rejects.toMatchObject({ status: 401, code: "auth.invalid_token" });
    expect((await auth.audit()).at(-1)).toMatchObject({ action: "key.revoke", target: keyId });
  });

  test("404 gateway.key_not_found: somebody else's, or revoked already", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const { key, keyId } = await keyFor(auth, actor);
    const notFound = { status: 404, code: "gateway.key_not_found" };
    expect(auth.ask("revokeKey", { keyId }, bob)).rejects.toMatchObject(notFound);
    expect(await auth.actorOf(key)).toMatchObject({ id: actor.id });
    await auth.ask("revokeKey", { keyId }, actor);
    expect(auth.ask("revokeKey", { keyId }, actor)).rejects.toMatchObject(notFound);
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    const keyId = `key_${"0".repeat(26)}`;
    expect(auth.ask("revokeKey", { keyId })).rejects.toMatchObject({ code: "auth.required" });
  });
});
