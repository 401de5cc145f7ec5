import { describe, expect, test } from "bun:test";
import { signedIn } from "../accounts.ts";
import { ada, authForTest, tokenOf } from "../testing/auth.ts";

describe("register", () => {
  test("201: opens the account, its first session and its news", async () => {
    await using auth = await authForTest();
    const reply = await auth.ask("register", { ...ada, firstName: " Ada ", lastName: "", role: "operator" });
    expect(reply).toEqual({ ok: true, token: expect.any(String), expiresIn: 3600 });
    const actor = signedIn(await auth.actorOf(tokenOf(reply)));
    expect(actor).toMatchObject({ role: "customer" });
    const { id } = actor;
    expect(await auth.ask("me", {}, actor)).toMatchObject({
      user: { email: ada.email, username: "Ada", firstName: "Ada", lastName: null, displayName: null },
    });
    expect(await auth.events()).toMatchObject([
      {
        subject: `evt.gateway.v1.account.registered.${id}`,
        version: 1,
        payload: { accountId: id, email: ada.email, username: "Ada", role: "customer" },
      },
    ]);
    expect(await auth.audit()).toMatchObject([
      { actor: id, action: "account.register", target: id, address: "192.0.2.7" },
    ]);
  });

  test("201: the refresh token is in the cookie and in no body", async () => {
    await using auth = await authForTest();
    const answer = await auth.send("register", ada);
    expect(answer.headers["set-cookie"]).toMatch(
      /^zpack_refresh=[\w-]{43}; Max-Age=2592000; Path=\/api\/auth; HttpOnly; SameSite=Strict$/,
    );
    expect(Object.keys(answer.reply as object).toSorted()).toEqual(["expiresIn", "ok", "token"]);
  });

  test("201: names in any script, with accents, joiners and emoji", async () => {
    await using auth = await authForTest();
    const names = { firstName: "Zoë", lastName: "می‌خواهم", displayName: "👩‍🚀 O’Neil-דניאל" };
    const { actor } = await auth.signUp({ ...ada, ...names });
    expect(await auth.ask("profile", {}, actor)).toMatchObject(names);
  });

  test("never stores the password", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const rows = await auth.query(
      (tx) => tx`
      select row_to_json(account)::text as text from account
      union all select row_to_json(audit)::text from audit
      union all select row_to_json(outbox)::text from outbox`,
    );
    for (const row of rows) expect(row["text"]).not.toContain(ada.password);
    expect(rows[0]?.["text"]).toContain("$argon2id$");
  });

  test("409 gateway.email_taken: in whatever case", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const other = { ...ada, email: "ADA@EXAMPLE.ORG", username: "other" };
    expect(auth.ask("register", other)).rejects.toMatchObject({
      status: 409,
      code: "gateway.email_taken",
    });
  });

  test("409 gateway.username_taken: in whatever case", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const other = { ...ada, email: "other@example.org", username: "aDA" };
    expect(auth.ask("register", other)).rejects.toMatchObject({
      status: 409,
      code: "gateway.username_taken",
    });
  });

  test("409: of many at once, one gets the name and the others leave nothing behind", async () => {
    await using auth = await authForTest();
    const answers = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => auth.ask("register", { ...ada, email: `ada${i}@example.org` })),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === "rejected")
        expect(answer.reason).toMatchObject({ code: "gateway.username_taken" });
    expect(await auth.events()).toHaveLength(1);
    expect(await auth.audit()).toHaveLength(1);
  });

  test("400 request.invalid: what no account can have", async () => {
    await using auth = await authForTest();
    for (const change of [
      { email: "ada" },
      { password: "1234567" },
      { password: "x".repeat(257) },
      { username: "ada@example.org" },
      { username: "-ada" },
      { firstName: "a\u0000b" },
      { firstName: "a\nb" },
      { lastName: "half \ud83d of a character" },
      { lastName: "\ude00" },
      { displayName: "Ada\u202egpj.exe" },
      { displayName: "\u2066Ada\u2069" },
      { displayName: "two\u2028lines" },
    ])
      expect(auth.ask("register", { ...ada, ...change })).rejects.toMatchObject({ code: "request.invalid" });
    expect(await auth.audit()).toHaveLength(0);
  });
});
