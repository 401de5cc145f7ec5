import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { hashOf, newSecret } from "../secrets.ts";
import type { Deps } from "../service.ts";
import { lockWaitingMail, replaceResetToken } from "../store/mail.ts";

export const mintResetToken = verb(
  gateway,
  "mintResetToken",
)(({ db, clock, settings }: Deps) => async ({ input: { mailId }, ctx, fail }) => {
  const token = newSecret();
  const expiresAt = new Date(clock.now() + settings.resetMs);
  const email = await withTx(db, async (tx) => {
    const mail = (await lockWaitingMail(tx, mailId, "password_reset")) ?? fail("mail_not_found");
    const { accountId } = mail;
    await replaceResetToken(tx, { hash: hashOf(token), accountId, mailId, expiresAt });
    await note(tx, ctx, clock.now(), { action: "password.reset_minted", target: accountId });
    return mail.email;
  });
  return { email, token, expiresAt: expiresAt.toISOString() };
});
