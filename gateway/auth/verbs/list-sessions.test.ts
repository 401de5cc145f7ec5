import { describe, expect, test } from "bun:test";
import { ada, authForTest, home } from "../testing/auth.ts";

describe("listSessions", () => {
  test("200: the living sessions of the account, and which of them asks", async () => {
    await using auth = await authForTest();
    const { actor, refresh } = await auth.signUp();
    await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    await auth.ask("login", { identifier: "ada", password: ada.password });
    await auth.clock.advance(60_000);
    await auth.send("refresh", {}, { cookie: refresh });
    const reply = await auth.ask("listSessions", {}, actor);
    const shape = {
      id: expect.stringMatching(/^ses_/),
      address: home,
      createdAt: expect.any(String),
      refreshedAt: expect.any(String),
    };
    expect(reply).toEqual({
      ok: true,
      sessions: [
        { ...shape, id: actor.via, current: true, expiresAt: "2030-01-31T00:01:00.000Z" },
        { ...shape, current: false, expiresAt: "2030-01-31T00:00:00.000Z" },
      ],
    });
    await auth.ask("logout", {}, actor);
    expect(await auth.ask("listSessions", {}, actor)).toMatchObject({ sessions: [{ current: false }] });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("listSessions", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
