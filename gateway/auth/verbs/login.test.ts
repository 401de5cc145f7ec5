import { describe, expect, spyOn, test } from "bun:test";
import { signedIn } from "../accounts.ts";
import { ada, authForTest, callsOf, refreshOf, tokenOf } from "../testing/auth.ts";
import { Fault } from "#shared/fault/fault.ts";

describe("login", () => {
  test("200: by e-mail address or username, in whatever case", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    for (const identifier of ["Ada", "ada", "ADA@example.org", " ada@example.org "]) {
      const reply = await auth.ask("login", { identifier, password: ada.password });
      expect(reply).toEqual({ token: expect.any(String), expiresIn: 3600 });
      const again = signedIn(await auth.actorOf(tokenOf(reply)));
      expect(again).toMatchObject({ id: actor.id, role: "customer" });
      expect(again.via).not.toBe(actor.via);
    }
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: actor.id,
      action: "session.login",
      target: actor.id,
      address: "192.0.2.7",
    });
  });

  test("401 gateway.wrong_credentials: a letter that only the database takes for one of the name", async () => {
    await using auth = await authForTest();
    await auth.signUp({ ...ada, username: "mimi" });
    // Capital I with a dot: lower case is an i to some, and an i with a dot above it to others.
    for (const identifier of ["m\u0130mi", "m\u0130m\u0130"])
      expect(auth.ask("login", { identifier, password: ada.password })).rejects.toMatchObject({
        status: 401,
      });
  });

  test("200: the refresh token is in the cookie and in no body", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const answer = await auth.send("login", { identifier: "ada", password: ada.password });
    const cookie = refreshOf(answer);
    expect(cookie).toMatch(/^[\w-]{43}$/);
    expect(Object.keys(answer.reply as object).toSorted()).toEqual(["expiresIn", "token"]);
    expect(await auth.send("refresh", {}, { cookie })).toMatchObject({ reply: { expiresIn: 3600 } });
  });

  test("200: whatever wrong passwords others have tried before", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const attempts = Array.from({ length: 30 }, (_, i) =>
      auth.ask("login", { identifier: "ada", password: `guess ${i}` }).catch(() => "wrong"),
    );
    expect(new Set(await Promise.all(attempts))).toEqual(new Set(["wrong"]));
    expect(await auth.ask("login", { identifier: "ada", password: ada.password })).toMatchObject({
      expiresIn: 3600,
    });
  });

  test("200: beyond what an account may have, the session that was used longest ago ends, on record", async () => {
    await using auth = await authForTest({ maxPerAccount: 3 });
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const { token: first, refresh: cookie } = await auth.signUp();
    const signIn = async () =>
      tokenOf(await auth.ask("login", { identifier: "ada", password: ada.password }));
    const [second, third] = [await signIn(), await signIn()];
    const { via: displaced, id } = signedIn(await auth.actorOf(second));
    await auth.send("refresh", {}, { cookie });
    const fourth = await signIn();
    expect(auth.actorOf(second)).rejects.toMatchObject({ code: "auth.invalid_token" });
    for (const token of [first, third, fourth, bob.token]) expect(await auth.actorOf(token)).toBeDefined();
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: id,
      action: "session.end",
      target: displaced,
    });
  });

  test("200: of many at once an account keeps as many sessions as it may have", async () => {
    await using auth = await authForTest({ maxPerAccount: 3 });
    const { actor } = await auth.signUp();
    const credentials = { identifier: "ada", password: ada.password };
    const tokens = (await Promise.all(Array.from({ length: 12 }, () => auth.ask("login", credentials)))).map(
      tokenOf,
    );
    const { sessions } = (await auth.ask("listSessions", {}, actor)) as { sessions: unknown[] };
    expect(sessions).toHaveLength(3);
    const alive = await Promise.all(tokens.map((token) => auth.actorOf(token).catch(() => undefined)));
    expect(alive.filter(Boolean)).toHaveLength(3);
  });

  test("401 gateway.wrong_credentials: alike for a wrong password and an unknown account, both on record", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const fault = async (input: object) => {
      const error = await auth.ask("login", input).catch((reason: unknown) => reason);
      return error instanceof Fault ? error.problem("id") : error;
    };
    const wrong = await fault({ identifier: "ada", password: "wrong horse battery" });
    const unknown = await fault({ identifier: "nobody", password: ada.password });
    expect(wrong).toMatchObject({ status: 401, code: "gateway.wrong_credentials" });
    expect(unknown).toEqual(wrong);
    expect((await auth.audit()).slice(1)).toMatchObject([
      { actor: null, action: "session.login_failed", target: actor.id, address: "192.0.2.7" },
      { actor: null, action: "session.login_failed", target: null, address: "192.0.2.7" },
    ]);
  });

  test("401: an unknown account takes the work of a wrong password: one hash, of the same cost", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    using verify = spyOn(Bun.password, "verify");
    const wrong = { password: "wrong horse battery" };
    for (const identifier of ["ada", "nobody"])
      expect(await auth.ask("login", { ...wrong, identifier }).catch(() => "refused")).toBe("refused");
    const costs = verify.mock.calls.map(([, hash]) => (hash as string).split("$").slice(0, 4).join("$"));
    expect(costs).toEqual(["$argon2id$v=19$m=1024,t=1,p=1", "$argon2id$v=19$m=1024,t=1,p=1"]);
  });

  test("401: the password was changed while the old one was verified", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const { passwords } = auth.deps;
    const late = callsOf({
      ...auth.deps,
      passwords: {
        ...passwords,
        async matches(...given) {
          const matches = await passwords.matches(...given);
          await auth.query((tx) => tx`update account set password_hash = 'another'`);
          return matches;
        },
      },
    });
    const attempt = late.ask("login", { identifier: "ada", password: ada.password });
    expect(attempt).rejects.toMatchObject({ status: 401, code: "gateway.wrong_credentials" });
    expect(await auth.query((tx) => tx`select from session`)).toHaveLength(1);
  });

  test("400 request.invalid: an identifier that no account can have", async () => {
    await using auth = await authForTest();
    const attempt = auth.ask("login", { identifier: "a\u0000b", password: "x" });
    expect(attempt).rejects.toMatchObject({ code: "request.invalid" });
  });
});
