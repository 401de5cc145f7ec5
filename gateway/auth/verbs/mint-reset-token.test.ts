import { describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { ada, authForTest } from "../testing/auth.ts";
import { mailFor } from "../testing/recovery.ts";

const support = serviceActor("support");
const notFound = { status: 404, code: "gateway.mail_not_found" };

describe("mintResetToken", () => {
  test("200: a token for 30 minutes from now, of which only the hash is stored, on record", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { id: mailId } = await mailFor(auth, ada.email);
    await auth.clock.advance(3_600_000);
    const reply = await auth.ask("mintResetToken", { mailId }, support);
    expect(reply).toEqual({
      email: ada.email,
      token: expect.stringMatching(/^[\w-]{43}$/),
      expiresAt: "2030-01-01T01:30:00.000Z",
    });
    const { token } = reply as { token: string };
    const rows = await auth.query(
      (tx) => tx`
      select row_to_json(reset_token)::text as text from reset_token
      union all select row_to_json(mail)::text from mail
      union all select row_to_json(audit)::text from audit
      union all select row_to_json(outbox)::text from outbox`,
    );
    for (const row of rows) expect(row["text"]).not.toContain(token);
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: "service:support",
      action: "password.reset_minted",
      target: actor.id,
    });
  });

  test("404 gateway.mail_not_found: unknown, or delivered already", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const { id: mailId } = await mailFor(auth, ada.email);
    await auth.ask("confirmMail", { mailId }, support);
    for (const id of [mailId, `mail_${"0".repeat(26)}`])
      expect(auth.ask("mintResetToken", { mailId: id }, support)).rejects.toMatchObject(notFound);
  });
});
