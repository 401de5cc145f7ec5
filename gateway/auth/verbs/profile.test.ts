import { describe, expect, test } from "bun:test";
import { gateway } from "../contract.ts";
import { authForTest } from "../testing/auth.ts";

describe("profile", () => {
  test("200: the user of `me`, bare", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { user } = gateway.routes.me.reply.parse(await auth.ask("me", {}, actor));
    expect(await auth.ask("profile", {}, actor)).toEqual(user);
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("profile", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
