import { describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { ada, authForTest } from "../testing/auth.ts";
import { deliverable, mailFor } from "../testing/recovery.ts";

const support = serviceActor("support");

describe("confirmMail", () => {
  test("200: it waits no more, however often that is said; the next request makes another", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const { id: mailId } = await mailFor(auth, ada.email);
    for (let i = 0; i < 2; i++)
      expect(await auth.ask("confirmMail", { mailId }, support)).toEqual({ ok: true });
    expect(await deliverable(auth)).toEqual([]);
    expect((await mailFor(auth, ada.email)).id).not.toBe(mailId);
  });

  test("404 gateway.mail_not_found", async () => {
    await using auth = await authForTest();
    const attempt = auth.ask("confirmMail", { mailId: `mail_${"0".repeat(26)}` }, support);
    expect(attempt).rejects.toMatchObject({ status: 404, code: "gateway.mail_not_found" });
  });
});
