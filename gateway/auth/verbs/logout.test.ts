import { describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { ada, authForTest, tokenOf } from "../testing/auth.ts";

describe("logout", () => {
  test("200: the token is refused from the next request on, other sessions go on", async () => {
    await using auth = await authForTest();
    const { token, actor } = await auth.signUp();
    const again = { identifier: "ada", password: ada.password };
    const elsewhere = tokenOf(await auth.ask("login", again));
    expect(await auth.actorOf(token)).toEqual(actor);
    const { reply, headers } = await auth.send("logout", {}, { actor });
    expect(reply).toEqual({ ok: true });
    expect(headers["set-cookie"]).toBe(
      "zpack_refresh=; Max-Age=0; Path=/api/auth; HttpOnly; SameSite=Strict",
    );
    expect(auth.actorOf(token)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(await auth.actorOf(elsewhere)).toMatchObject({ id: actor.id });
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: actor.id,
      action: "session.logout",
      target: actor.id,
      via: actor.via,
    });
  });

  test("200: its refresh token ends with it", async () => {
    await using auth = await authForTest();
    const { actor, refresh } = await auth.signUp();
    await auth.ask("logout", {}, actor);
    expect(auth.send("refresh", {}, { cookie: refresh })).rejects.toMatchObject({ status: 401 });
  });

  test("200: a session of which only the cookie is left ends too, whosever it is", async () => {
    await using auth = await authForTest();
    const { actor, refresh: own } = await auth.signUp();
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    await auth.send("logout", {}, { actor, cookie: bob.refresh });
    expect(auth.actorOf(bob.token)).rejects.toMatchObject({ code: "auth.invalid_token" });
    for (const cookie of [own, bob.refresh])
      expect(auth.send("refresh", {}, { cookie })).rejects.toMatchObject({ status: 401 });
    const { id: customerId, via: target } = bob.actor;
    expect(await auth.ask("listAudit", { target }, bob.actor)).toMatchObject({
      entries: [{ action: "session.end", actor: actor.id, customerId, address: null }],
    });
  });

  test("200: its own cookie, and one that is none, are no second session", async () => {
    await using auth = await authForTest();
    const { actor, refresh } = await auth.signUp();
    for (const cookie of [refresh, "x", "A".repeat(43)]) await auth.send("logout", {}, { actor, cookie });
    expect((await auth.audit()).map(({ action }) => action)).not.toContain("session.end");
  });

  test("200: again, for a request that was under way", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const answers = await Promise.all([auth.ask("logout", {}, actor), auth.ask("logout", {}, actor)]);
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
  });

  test("401 auth.required: without a session, for a service of the mesh too", async () => {
    await using auth = await authForTest();
    expect(auth.ask("logout", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
    expect(auth.ask("logout", {}, serviceActor("billing"))).rejects.toMatchObject({
      code: "auth.required",
    });
  });
});
