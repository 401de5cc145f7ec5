import { describe, expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { createSessions } from "../sessions.ts";
import { ada, authForTest, callsOf, home, refreshOf, secret, tokenOf } from "../testing/auth.ts";
import { createTokens } from "../tokens.ts";

type Auth = Awaited<ReturnType<typeof authForTest>>;
const reused = { status: 401, code: "gateway.refresh_reused" };
const invalid = { status: 401, code: "gateway.refresh_invalid" };
const day = 86_400_000;

const refresh = async (auth: Auth, cookie: string | undefined) => {
  const answer = await auth.send("refresh", {}, { cookie });
  return { answer, token: tokenOf(answer.reply), refresh: refreshOf(answer) ?? "" };
};

describe("refresh", () => {
  test("200: the next cookie and a new access token of the same session; the token is in no body", async () => {
    await using auth = await authForTest();
    const { actor, refresh: first } = await auth.signUp();
    expect(first).toMatch(/^[\w-]{43}$/);
    const { answer, token, refresh: second } = await refresh(auth, first);
    expect(answer.reply).toEqual({ token: expect.any(String), expiresIn: 3600 });
    expect(answer.headers["set-cookie"]).toBe(
      `zpack_refresh=${second}; Max-Age=2592000; Path=/api/auth; HttpOnly; SameSite=Strict`,
    );
    expect(second).not.toBe(first);
    expect(await auth.actorOf(token)).toEqual(actor);
    expect(await auth.actorOf((await refresh(auth, second)).token)).toEqual(actor);
  });

  test("200: a session lives for 30 days from its last refresh", async () => {
    await using auth = await authForTest();
    let { refresh: cookie } = await auth.signUp();
    for (let i = 0; i < 3; i++) {
      await auth.clock.advance(29 * day);
      ({ refresh: cookie } = await refresh(auth, cookie));
    }
    await auth.clock.advance(30 * day);
    expect(refresh(auth, cookie)).rejects.toMatchObject(invalid);
  });

  test("never stores the token, only its hash", async () => {
    await using auth = await authForTest();
    const { refresh: first } = await auth.signUp();
    const { refresh: second } = await refresh(auth, first);
    const rows = await auth.query(
      (tx) => tx`
      select row_to_json(refresh_token)::text as text from refresh_token
      union all select row_to_json(session)::text from session
      union all select row_to_json(audit)::text from audit`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows)
      expect([first, second].filter((value) => row["text"].includes(value))).toEqual([]);
  });

  test("401 gateway.refresh_reused: a token that comes back ends its session, and is on record", async () => {
    await using auth = await authForTest();
    const { actor, token, refresh: stolen } = await auth.signUp();
    const next = await refresh(auth, stolen);
    expect(await auth.actorOf(next.token)).toEqual(actor);
    expect(refresh(auth, stolen)).rejects.toMatchObject(reused);
    for (const dead of [token, next.token])
      expect(auth.actorOf(dead)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(refresh(auth, next.refresh)).rejects.toMatchObject(invalid);
    expect(refresh(auth, stolen)).rejects.toMatchObject(invalid);
    expect(await auth.ask("listAudit", { action: "session.refresh_reused" }, actor)).toMatchObject({
      entries: [{ actor: null, target: actor.via, customerId: actor.id, address: home }],
    });
  });

  test("401 gateway.refresh_reused: of many uses at once one wins, and the session ends", async () => {
    await using auth = await authForTest();
    const { actor, refresh: cookie } = await auth.signUp();
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => refresh(auth, cookie)));
    const won = answers.filter((answer) => answer.status === "fulfilled");
    expect(won).toHaveLength(1);
    const codes = answers.flatMap((a) => (a.status === "rejected" ? [a.reason.code] : []));
    expect(codes.filter((code) => code === reused.code)).toHaveLength(1);
    expect(codes.filter((code) => code === invalid.code)).toHaveLength(4);
    expect(refresh(auth, won[0]?.value.refresh)).rejects.toMatchObject(invalid);
    const [session] = await auth.query((tx) => tx`select ended_at from session where id = ${actor.via}`);
    expect(session?.["endedAt"]).toEqual(expect.any(Date));
  });

  test("401: the reuse of one session's token ends no other", async () => {
    await using auth = await authForTest();
    const { refresh: stolen } = await auth.signUp();
    const elsewhere = await auth.send("login", { identifier: "ada", password: "correct horse battery" });
    await refresh(auth, stolen);
    expect(refresh(auth, stolen)).rejects.toMatchObject(reused);
    expect(await refresh(auth, refreshOf(elsewhere))).toMatchObject({ token: expect.any(String) });
  });

  test("401 gateway.refresh_invalid: none, garbage, unknown, or of a session that was ended", async () => {
    await using auth = await authForTest();
    const { actor, refresh: cookie } = await auth.signUp();
    for (const value of [undefined, "", "x", `${cookie}x`, "A".repeat(43), `${"A".repeat(42)}\u0000`])
      expect(refresh(auth, value)).rejects.toMatchObject(invalid);
    await auth.ask("logout", {}, actor);
    expect(refresh(auth, cookie)).rejects.toMatchObject(invalid);
  });

  test("401 gateway.refresh_invalid: a session from before the generation was raised", async () => {
    await using auth = await authForTest();
    const { refresh: cookie } = await auth.signUp();
    const { db, clock } = auth.deps;
    const tokens = createTokens({ secret, ttlSeconds: 3600, generation: 2, clock });
    const sessions = createSessions({ db, clock, tokens, log: silentLogger, announce: () => {} });
    const raised = callsOf({ ...auth.deps, sessions });
    expect(raised.send("refresh", {}, { cookie })).rejects.toMatchObject(invalid);
    const next = await raised.send("login", { identifier: "ada", password: ada.password });
    const renewed = await raised.send("refresh", {}, { cookie: refreshOf(next) });
    expect(await sessions.actorOf(tokenOf(renewed.reply), home)).toMatchObject({ role: "customer" });
  });

  test("the role is the account's present one", async () => {
    await using auth = await authForTest();
    const { refresh: cookie } = await auth.signUp();
    await auth.query((tx) => tx`update account set role = 'operator'`);
    expect(await auth.actorOf((await refresh(auth, cookie)).token)).toMatchObject({ role: "operator" });
  });
});
