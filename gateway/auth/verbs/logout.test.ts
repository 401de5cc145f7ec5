import { describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { ada, authForTest, tokenOf } from "../testing/auth.ts";

describe("logout", () => {
  test("200: the token is refused from the next request on, other sessions go on", async () => {
    await using auth = await authForTest();
    const { token, actor } = await auth.signUp();
    const again = { identifier: "ada", password: ada.password };
    const elsewhere = tokenOf(await auth.ask("login", again));
    expect(await auth.sessions.actorOf(token)).toEqual(actor);
    expect(await auth.ask("logout", {}, actor)).toEqual({ ok: true });
    expect(auth.sessions.actorOf(token)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(await auth.sessions.actorOf(elsewhere)).toMatchObject({ id: actor.id });
    expect((await auth.audit()).at(-1)).toMatchObject({ actor: actor.id, action: "session.logout" });
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
