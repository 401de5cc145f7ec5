import { describe, expect, spyOn, test } from "bun:test";
import { ada, authForTest, refreshOf, tokenOf } from "../testing/auth.ts";
import { keyFor } from "../testing/keys.ts";
import { deliverable, mailFor } from "../testing/recovery.ts";

type Auth = Awaited<ReturnType<typeof authForTest>>;
const invalid = { status: 400, code: "gateway.reset_invalid" };
const newPassword = "staple correct horse";

const mint = async (auth: Auth, mailId: string) =>
  ((await auth.ask("mintResetToken", { mailId })) as { token: string }).token;
const minted = async (auth: Auth) => await mint(auth, (await mailFor(auth, ada.email)).id);

describe("resetPassword", () => {
  test("200: the new password holds, and every session and refresh token of the account ends", async () => {
    await using auth = await authForTest();
    const { token: access, refresh, actor } = await auth.signUp();
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const token = await minted(auth);
    expect(await auth.ask("resetPassword", { token, newPassword })).toEqual({ ok: true });
    expect(auth.actorOf(access)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(auth.send("refresh", {}, { cookie: refresh })).rejects.toMatchObject({ status: 401 });
    expect(await auth.actorOf(bob.token)).toEqual(bob.actor);
    const old = { identifier: "ada", password: ada.password };
    expect(auth.ask("login", old)).rejects.toMatchObject({ code: "gateway.wrong_credentials" });
    expect(await auth.ask("login", { ...old, password: newPassword })).toMatchObject({ expiresIn: 3600 });
    const noted = (await auth.audit()).find((row) => row["action"] === "password.reset");
    expect(noted).toMatchObject({ actor: null, target: actor.id });
  });

  test("200: every API key of the account ends with it, each on record, and nobody else's", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    const made = [await keyFor(auth, actor), await keyFor(auth, actor, { name: "of a stranger" })];
    const kept = await keyFor(auth, bob.actor);
    for (const { key } of [...made, kept]) expect(await auth.actorOf(key)).toBeDefined();
    await auth.ask("resetPassword", { token: await minted(auth), newPassword });
    for (const { key } of made)
      expect(auth.actorOf(key)).rejects.toMatchObject({ code: "auth.invalid_token" });
    expect(await auth.actorOf(kept.key)).toMatchObject({ id: bob.actor.id });
    const revoked = (await auth.audit()).filter((row) => row["action"] === "key.revoke");
    expect(new Set(revoked.map((row) => row["target"]))).toEqual(new Set(made.map(({ keyId }) => keyId)));
    expect(revoked).toHaveLength(2);
  });

  test("200: a key that was asked for by a session of before is not made after it", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.ask("resetPassword", { token: await minted(auth), newPassword });
    expect(keyFor(auth, actor)).rejects.toMatchObject({ status: 401, code: "auth.invalid_token" });
    expect(await auth.query((tx) => tx`select from api_key`)).toHaveLength(0);
  });

  test("200: a mail whose token was used has been delivered, whatever was heard of it", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    await auth.ask("resetPassword", { token: await minted(auth), newPassword });
    expect(await deliverable(auth)).toEqual([]);
  });

  test("200: a refresh and a sign-in of the same moment outlive it as little as those before", async () => {
    await using auth = await authForTest();
    const { actor, refresh: cookie } = await auth.signUp();
    const token = await minted(auth);
    const [, ...raced] = await Promise.all([
      auth.ask("resetPassword", { token, newPassword }),
      auth.send("refresh", {}, { cookie }).catch(() => undefined),
      auth.send("login", { identifier: "ada", password: ada.password }).catch(() => undefined),
    ]);
    for (const answer of raced.filter((one) => one !== undefined)) {
      expect(auth.actorOf(tokenOf(answer.reply))).rejects.toMatchObject({ code: "auth.invalid_token" });
      expect(auth.send("refresh", {}, { cookie: refreshOf(answer) })).rejects.toMatchObject({ status: 401 });
    }
    expect(await auth.ask("listSessions", {}, actor)).toMatchObject({ sessions: [] });
  });

  test("200: of a reset and a change at once one sets the password, and the other is told", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { id } = await mailFor(auth, ada.email);
    const token = await mint(auth, id);
    const own = "my own choice";
    const [reset, change] = await Promise.allSettled([
      auth.ask("resetPassword", { token, newPassword }),
      auth.ask("changePassword", { currentPassword: ada.password, newPassword: own }, actor),
      mint(auth, id),
    ]);
    expect([reset.status, change.status].toSorted((a, b) => a.localeCompare(b))).toEqual([
      "fulfilled",
      "rejected",
    ]);
    const password = reset.status === "fulfilled" ? newPassword : own;
    expect(await auth.ask("login", { identifier: "ada", password })).toMatchObject({ expiresIn: 3600 });
  });

  test("400 gateway.reset_invalid: used, and of many at once all but one", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const token = await minted(auth);
    const attempts = await Promise.allSettled(
      Array.from({ length: 4 }, () => auth.ask("resetPassword", { token, newPassword })),
    );
    expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(auth.ask("resetPassword", { token, newPassword })).rejects.toMatchObject(invalid);
  });

  test("400 gateway.reset_invalid: expired, replaced by a newer one, or void since the password changed", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { id } = await mailFor(auth, ada.email);
    const [older, newer] = [await mint(auth, id), await mint(auth, id)];
    expect(auth.ask("resetPassword", { token: older, newPassword })).rejects.toMatchObject(invalid);
    await auth.clock.advance(1_800_000);
    expect(auth.ask("resetPassword", { token: newer, newPassword })).rejects.toMatchObject(invalid);
    const last = await mint(auth, id);
    await auth.ask("changePassword", { currentPassword: ada.password, newPassword: "my own choice" }, actor);
    expect(auth.ask("resetPassword", { token: last, newPassword })).rejects.toMatchObject(invalid);
  });

  test("400 gateway.reset_invalid: a guess costs no hash", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    using hash = spyOn(Bun.password, "hash");
    for (const token of ["x", "A".repeat(43), `${"A".repeat(42)}\u0000`])
      expect(auth.ask("resetPassword", { token, newPassword })).rejects.toMatchObject(invalid);
    expect(hash).not.toHaveBeenCalled();
  });
});
