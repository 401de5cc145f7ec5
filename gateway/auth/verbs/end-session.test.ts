import { describe, expect, test } from "bun:test";
import { ada, authForTest, refreshOf, tokenOf } from "../testing/auth.ts";

describe("endSession", () => {
  test("200: the session ends with its tokens, the one that asks goes on", async () => {
    await using auth = await authForTest();
    const { actor, token } = await auth.signUp();
    const lost = await auth.send("login", { identifier: "ada", password: ada.password });
    const lostToken = tokenOf(lost.reply);
    const { via: sessionId } = (await auth.actorOf(lostToken)) as { via: string };
    expect(await auth.ask("endSession", { sessionId }, actor)).toEqual({ ok: true });
    expect(auth.actorOf(lostToken)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(auth.send("refresh", {}, { cookie: refreshOf(lost) })).rejects.toMatchObject({ status: 401 });
    expect(await auth.actorOf(token)).toEqual(actor);
    expect((await auth.audit()).at(-1)).toMatchObject({ action: "session.end", target: sessionId });
  });

  test("404 gateway.session_not_found: somebody else's, one that is over, one that never was", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const notFound = { status: 404, code: "gateway.session_not_found" };
    const over = (await auth.signUp({ ...ada, email: "eve@example.org", username: "eve" })).actor;
    await auth.ask("logout", {}, over);
    for (const [sessionId, who] of [
      [bob.actor.via, actor],
      [over.via, over],
      [`ses_${"0".repeat(26)}`, actor],
    ] as const)
      expect(auth.ask("endSession", { sessionId }, who)).rejects.toMatchObject(notFound);
    expect(await auth.actorOf(bob.token)).toEqual(bob.actor);
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    const sessionId = `ses_${"0".repeat(26)}`;
    expect(auth.ask("endSession", { sessionId })).rejects.toMatchObject({ code: "auth.required" });
  });
});
