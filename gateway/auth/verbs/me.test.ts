import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";

describe("me", () => {
  test("200: every field of the account, and none besides", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp({ ...ada, displayName: "Countess" });
    expect(await auth.ask("me", {}, actor)).toEqual({
      ok: true,
      user: {
        id: actor.id,
        email: ada.email,
        username: ada.username,
        displayName: "Countess",
        firstName: null,
        lastName: null,
        role: "customer",
        billing_status: "active",
        suspended_at: null,
      },
    });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("me", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });

  test("401 auth.invalid_token: the account is gone while its token still holds", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.query((tx) => tx`delete from account`);
    expect(auth.ask("me", {}, actor)).rejects.toMatchObject({
      status: 401,
      code: "auth.invalid_token",
    });
  });
});
