import { describe, expect, test } from "bun:test";
import { ada, authForTest, tokenOf } from "../testing/auth.ts";
import { keyFor } from "../testing/keys.ts";

const change = { currentPassword: ada.password, newPassword: "staple correct horse" };

describe("changePassword", () => {
  test("200: the new password holds, the old one does not, every other session ends", async () => {
    await using auth = await authForTest();
    const { actor, token, refresh } = await auth.signUp();
    const elsewhere = tokenOf(await auth.ask("login", { identifier: "ada", password: ada.password }));
    expect(await auth.actorOf(elsewhere)).toMatchObject({ id: actor.id });
    expect(await auth.ask("changePassword", change, actor)).toEqual({ ok: true });
    expect(auth.actorOf(elsewhere)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(await auth.actorOf(token)).toEqual(actor);
    expect(await auth.send("refresh", {}, { cookie: refresh })).toBeDefined();
    const old = { identifier: "ada", password: ada.password };
    expect(auth.ask("login", old)).rejects.toMatchObject({ code: "gateway.wrong_credentials" });
    expect(await auth.ask("login", { ...old, password: change.newPassword })).toMatchObject({
      expiresIn: 3600,
    });
    expect((await auth.audit()).map((row) => row["action"])).toContain("password.change");
  });

  test("200: of two at once one wins, and the other is told that it is too late", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const both = ["one new password", "another new password"].map((newPassword) =>
      auth.ask("changePassword", { ...change, newPassword }, actor),
    );
    const answers = await Promise.allSettled(both);
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("200: API keys live on, or end with the old password if so wished", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { key, keyId } = await keyFor(auth, actor);
    await auth.ask("changePassword", change, actor);
    expect(await auth.actorOf(key)).toMatchObject({ id: actor.id });
    const again = { currentPassword: change.newPassword, newPassword: ada.password, revokeApiKeys: true };
    const wrong = { ...again, currentPassword: "wrong horse battery" };
    expect(await auth.ask("changePassword", wrong, actor).catch(() => "refused")).toBe("refused");
    expect(await auth.actorOf(key)).toMatchObject({ id: actor.id });
    await auth.ask("changePassword", again, actor);
    expect(auth.actorOf(key)).rejects.toMatchObject({ code: "auth.invalid_token" });
    const [revoked, ...others] = (await auth.audit()).filter((row) => row["action"] === "key.revoke");
    expect(revoked).toMatchObject({ actor: actor.id, target: keyId });
    expect(others).toEqual([]);
  });

  test("403 gateway.wrong_password: nothing changes, and it is on record", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const wrong = { ...change, currentPassword: "wrong horse battery" };
    expect(auth.ask("changePassword", wrong, actor)).rejects.toMatchObject({
      status: 403,
      code: "gateway.wrong_password",
    });
    expect(await auth.ask("login", { identifier: "ada", password: ada.password })).toBeDefined();
    expect((await auth.audit())[1]).toMatchObject({ action: "password.change_failed", target: actor.id });
  });

  test("400 request.invalid: a password that is too short", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const short = { ...change, newPassword: "1234567" };
    expect(auth.ask("changePassword", short, actor)).rejects.toMatchObject({ code: "request.invalid" });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("changePassword", change)).rejects.toMatchObject({ code: "auth.required" });
  });
});
