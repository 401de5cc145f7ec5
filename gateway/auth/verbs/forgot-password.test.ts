import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";
import { deliverable, mailFor, mailRestMs } from "../testing/recovery.ts";

describe("forgotPassword", () => {
  test("202: alike, with the same work, for an account and for none", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const rows = () => auth.query((tx) => tx`select count(*) as count from job`);
    for (const email of [ada.email, "nobody@example.org"])
      expect(await auth.ask("forgotPassword", { email })).toEqual({ ok: true });
    // Not even a look at the accounts: all that happens before the answer is one job each.
    expect(await rows()).toMatchObject([{ count: 2 }]);
    expect(await auth.query((tx) => tx`select from mail`)).toHaveLength(0);
  });

  test("202: mail that names the account, with its news and a line each in the log, and no secret", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.ask("forgotPassword", { email: "ADA@example.org" });
    await auth.ask("forgotPassword", { email: "nobody@example.org" });
    const [mail, ...others] = await deliverable(auth);
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ accountId: actor.id, requests: 1 });
    expect((await auth.events()).at(-1)).toEqual({
      subject: `evt.gateway.v1.password.requested.${mail?.id}`,
      version: 1,
      payload: { mailId: mail?.id, accountId: actor.id },
    });
    const noted = (await auth.audit()).filter((row) => row["action"] === "password.forgot");
    expect(new Set(noted.map((row) => row["target"]))).toEqual(new Set([actor.id, null]));
    expect(noted).toMatchObject([{ address: "192.0.2.7" }, { address: "192.0.2.7" }]);
    expect(await auth.query((tx) => tx`select from reset_token`)).toHaveLength(0);
  });

  test("202: asked for again while it waits, it is the same mail, and its news comes again", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    for (let i = 0; i < 3; i++) {
      await auth.ask("forgotPassword", { email: ada.email });
      await deliverable(auth);
    }
    const mail = await deliverable(auth);
    expect(mail).toMatchObject([{ requests: 3 }]);
    expect((await auth.events()).slice(1).map((event) => event["version"])).toEqual([1, 2, 3]);
  });

  test("202: no further mail for a while after one that can still be used, and then or once it was used another", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const delivered = async () => {
      const { id: mailId } = await mailFor(auth, ada.email);
      const { token } = (await auth.ask("mintResetToken", { mailId })) as { token: string };
      await auth.ask("confirmMail", { mailId });
      return token;
    };
    const ask = async () => {
      await auth.ask("forgotPassword", { email: ada.email });
      return (await deliverable(auth)).length;
    };
    await delivered();
    expect(await ask()).toBe(0);
    expect((await auth.audit()).filter((row) => row["action"] === "password.forgot")).toHaveLength(2);
    await auth.clock.advance(mailRestMs);
    const token = await delivered();
    expect(await ask()).toBe(0);
    await auth.ask("resetPassword", { token, newPassword: "staple correct horse" });
    expect(await ask()).toBe(1);
  });

  test("400 request.invalid: what is no e-mail address", async () => {
    await using auth = await authForTest();
    expect(auth.ask("forgotPassword", { email: "ada" })).rejects.toMatchObject({ code: "request.invalid" });
  });
});
