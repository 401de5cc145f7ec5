import { describe, expect, test } from "bun:test";
import { ada, authForTest, refreshOf, tokenOf } from "../testing/auth.ts";

describe("logoutAll", () => {
  test("200: every session of the account ends with its refresh token, nobody else's does", async () => {
    await using auth = await authForTest();
    const { token, refresh, actor } = await auth.signUp();
    const second = await auth.send("login", { identifier: "ada", password: ada.password });
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    expect(await auth.actorOf(tokenOf(second.reply))).toMatchObject({ id: actor.id });

    const { reply, headers } = await auth.send("logoutAll", {}, { actor });
    expect(reply).toEqual({ ok: true });
    expect(headers["set-cookie"]).toStartWith("zpack_refresh=; Max-Age=0");
    for (const dead of [token, tokenOf(second.reply)])
      expect(auth.actorOf(dead)).rejects.toMatchObject({ code: "auth.invalid_token" });
    for (const cookie of [refresh, refreshOf(second)])
      expect(auth.send("refresh", {}, { cookie })).rejects.toMatchObject({ code: "gateway.refresh_invalid" });
    expect(await auth.actorOf(bob.token)).toEqual(bob.actor);
    expect((await auth.audit()).at(-1)).toMatchObject({ actor: actor.id, action: "session.logout_all" });
  });

  test("200: a session of another account of which only the cookie is left ends too", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    await auth.send("logoutAll", {}, { actor, cookie: bob.refresh });
    expect(auth.actorOf(bob.token)).rejects.toMatchObject({ code: "auth.invalid_token" });
  });

  test("403 auth.session_needed: an API key is no session", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const key = { ...actor, via: "key_1", scopes: ["account:read"] };
    for (const route of ["logoutAll", "logout", "listSessions", "createKey", "listKeys"])
      expect(auth.ask(route, {}, key)).rejects.toMatchObject({ status: 403, code: "auth.session_needed" });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("logoutAll", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
