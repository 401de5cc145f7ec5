import { expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { authForTest, forge, home } from "./testing/auth.ts";
import { createSessions, type SessionOptions } from "./sessions.ts";
import { createTokens } from "./tokens.ts";
import { secret } from "./testing/auth.ts";

const again = (auth: Awaited<ReturnType<typeof authForTest>>, o: Partial<SessionOptions> = {}) => {
  const tokens = createTokens({ secret, ttlSeconds: 3600, generation: 1, clock: auth.clock });
  const rest = { log: silentLogger, announce: () => {} };
  return createSessions({ db: auth.pg.db, clock: auth.clock, tokens, ...rest, ...o });
};

test("the role is the account's present one, whatever the token says", async () => {
  await using auth = await authForTest();
  const { token, actor } = await auth.signUp();
  expect(actor).toMatchObject({ role: "customer" });
  await auth.query((tx) => tx`update account set role = 'operator'`);
  expect(await again(auth).actorOf(token, home)).toMatchObject({ id: actor.id, role: "operator" });
});

test("a session that was ended elsewhere holds for 30 s at most", async () => {
  await using auth = await authForTest();
  const { token, actor } = await auth.signUp();
  await auth.query((tx) => tx`update session set ended_at = now()`);
  await auth.clock.advance(29_999);
  expect(await auth.actorOf(token)).toEqual(actor);
  await auth.clock.advance(1);
  expect(auth.actorOf(token)).rejects.toMatchObject({ code: "auth.invalid_token" });
});

test("an expired session ends its tokens", async () => {
  await using auth = await authForTest();
  const short = again(auth, { ttlMs: 1_000 });
  const { actor } = await auth.signUp();
  const { issued } = await auth.query((tx) => short.open(tx, actor, undefined));
  await auth.clock.advance(1_000);
  expect(short.actorOf(issued.token, home)).rejects.toMatchObject({ code: "auth.invalid_token" });
});

test("a well-signed token of a session that is not its account's is refused", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const now = Math.floor(auth.clock.now() / 1000);
  const claims = {
    iss: "zpack",
    aud: "zpack-api",
    sid: actor.via,
    role: "operator",
    ver: 1,
    exp: now + 60,
    iat: now,
  };
  for (const payload of [
    { ...claims, sub: "acc_other" },
    { ...claims, sub: actor.id, sid: "ses_other" },
  ])
    expect(auth.actorOf(forge(payload))).rejects.toMatchObject({ code: "auth.invalid_token" });
});

test("without the database a known token goes on, an unknown one is 503 and not 401", async () => {
  await using auth = await authForTest();
  const { token, actor } = await auth.signUp();
  const away = auth.pg.connect();
  await away.close(0);
  const sessions = again(auth, { db: away });
  expect(sessions.actorOf(token, home)).rejects.toMatchObject({ status: 503, code: "service.unavailable" });
  await auth.query((tx) =>
    tx`lock table session in access exclusive mode`.then(async () => {
      const hurried = again(auth, { lookupMs: 20 });
      expect(hurried.actorOf(token, home)).rejects.toMatchObject({ code: "service.unavailable" });
      expect(await auth.actorOf(token)).toEqual(actor);
    }),
  );
});
