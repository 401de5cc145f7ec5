import { expect, test } from "bun:test";
import { silentLogger } from "#shared/telemetry/log.ts";
import { horizonsOf, purge, purged, startPurge } from "./purge.ts";
import { removals } from "./store/purge.ts";
import { ada, authForTest } from "./testing/auth.ts";
import { keyFor } from "./testing/keys.ts";
import { mailFor } from "./testing/recovery.ts";

type Auth = Awaited<ReturnType<typeof authForTest>>;
const day = 86_400_000;
const retention = { auditMs: 400 * day, mailMs: 10 * day };
const tables = ["account", "session", "refresh_token", "reset_token", "mail", "api_key", "audit"];

const counts = (auth: Auth) =>
  auth.query(async (tx) => {
    const rows = await Promise.all(tables.map((name) => tx`select count(*) as n from ${tx(name)}`));
    return Object.fromEntries(tables.map((name, i) => [name, rows[i]?.[0]?.["n"]]));
  });

/** Purges every kind, as it is at `now`, in steps of `limit`. */
async function purgeAll(auth: Auth, { now = auth.clock.now(), limit = 1_000 } = {}): Promise<void> {
  for (const kind of purged) await purge(auth.pg.db, kind, { now, retention, limit });
}

/** One of everything that does not last, made now. */
async function furnish(auth: Auth): Promise<void> {
  const { actor } = await auth.signUp();
  await keyFor(auth, actor, { expiresAt: new Date(auth.clock.now() + day).toISOString() });
  const { id: mailId } = await mailFor(auth, ada.email);
  await auth.ask("mintResetToken", { mailId });
  await auth.ask("confirmMail", { mailId });
}

test("what has had its time goes, step by step, and nothing before", async () => {
  await using auth = await authForTest();
  await furnish(auth);
  const after = async (ms: number) => {
    await auth.clock.advance(ms);
    await purgeAll(auth, { limit: 1 });
    return await counts(auth);
  };
  const all = await after(0);
  expect(Object.values(all)).not.toContain(0);
  expect(await after(day / 2)).toEqual({ ...all, reset_token: 0 });
  expect(await after(9 * day)).toMatchObject({ mail: 1, session: 1, refresh_token: 1 });
  expect(await after(day)).toMatchObject({ mail: 0, session: 1, refresh_token: 1 });
  expect(await after(20 * day)).toMatchObject({
    session: 0,
    refresh_token: 0,
    api_key: 1,
    audit: all["audit"],
  });
  expect(await after(61 * day)).toMatchObject({ api_key: 0, audit: all["audit"] });
  expect(await after(310 * day)).toEqual({
    account: 1,
    session: 0,
    refresh_token: 0,
    reset_token: 0,
    mail: 0,
    api_key: 0,
    audit: 0,
  });
});

test("mail that nobody has delivered stays, and so does a key without end", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  await keyFor(auth, actor);
  await mailFor(auth, ada.email);
  await purgeAll(auth, { now: auth.clock.now() + 10_000 * day });
  expect(await counts(auth)).toMatchObject({ mail: 1, api_key: 1, account: 1, session: 0 });
});

test("a session that was ended is kept for a day, and its refresh tokens go with it", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  await auth.ask("logout", {}, actor);
  await auth.clock.advance(day - 1);
  await purgeAll(auth);
  expect(await counts(auth)).toMatchObject({ session: 1, refresh_token: 1 });
  await auth.clock.advance(1);
  await purgeAll(auth);
  expect(await counts(auth)).toMatchObject({ session: 0, refresh_token: 0 });
});

test("no statement removes more than a step, however many tokens a session has", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  await auth.query(
    (tx) => tx`
      insert into refresh_token (hash, session_id, expires_at)
      select 'h' || i, ${actor.via}, ${new Date(auth.clock.now() + 20 * day)} from generate_series(1, 9) i`,
  );
  await auth.ask("logout", {}, actor);
  const now = auth.clock.now() + 2 * day;
  const removed: number[] = [];
  await auth.query(async (tx) => {
    for (const remove of [...removals.session, ...removals.session])
      removed.push((await remove(tx, horizonsOf(now, retention), 4)).count);
  });
  // Tokens, and then no session that has one left.
  expect(removed).toEqual([4, 0, 4, 0]);
  await purgeAll(auth, { now, limit: 4 });
  expect(await counts(auth)).toMatchObject({ session: 0, refresh_token: 0 });
});

test("a kind that cannot be removed holds up no other", async () => {
  await using auth = await authForTest();
  await furnish(auth);
  const { clock } = auth;
  await clock.advance(500 * day);
  const { db } = auth.pg;
  await auth.query((tx) => tx`alter table refresh_token rename to elsewhere`);
  const purging = startPurge({ db, clock, log: silentLogger, retention, everyMs: day });
  while ((await auth.query((tx) => tx`select from audit`)).length > 0)
    await new Promise((resolve) => setImmediate(resolve));
  await purging.stop();
  await auth.query((tx) => tx`alter table elsewhere rename to refresh_token`);
  expect(await counts(auth)).toMatchObject({ refresh_token: 1, audit: 0, api_key: 0 });
});

test("it runs at the start, and then again and again", async () => {
  await using auth = await authForTest();
  await auth.signUp();
  const { clock } = auth;
  const settled = async (sessions: number) => {
    while ((await counts(auth))["session"] !== sessions)
      await new Promise((resolve) => setImmediate(resolve));
  };
  await clock.advance(40 * day);
  const db = auth.pg.db;
  const purging = startPurge({ db, clock, log: silentLogger, retention, everyMs: day });
  await settled(0);
  await auth.ask("login", { identifier: "ada", password: ada.password });
  expect(await counts(auth)).toMatchObject({ session: 1 });
  for (let i = 0; i < 31; i++) await clock.advance(day);
  await settled(0);
  await purging.stop();
});
