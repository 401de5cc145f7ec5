import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { revokeKeys } from "../revoke-keys.ts";
import { hashOf, secretShape } from "../secrets.ts";
import type { Deps } from "../service.ts";
import { updatePassword } from "../store/accounts.ts";
import { findResetToken, settleMail, takeResetToken } from "../store/mail.ts";

export const resetPassword = verb(
  gateway,
  "resetPassword",
)(({ db, clock, passwords, sessions }: Deps) => async ({ input, ctx, fail }) => {
  if (!secretShape.test(input.token)) fail("reset_invalid");
  const hash = hashOf(input.token);
  const now = new Date(clock.now());
  // A guess does not buy the work of a password's hash.
  const found = await withTx(db, (tx) => findResetToken(tx, hash, now), { readOnly: true });
  const { accountId, mailId } = found ?? fail("reset_invalid");
  const passwordHash = await passwords.hash(input.newPassword, ctx.signal);
  await withTx(db, async (tx) => {
    // Mail, account, token, sessions: the order in which everybody locks them, so that no two wait for each other. Whoever
    // has the token has the mail, whatever became of the news that it was delivered.
    await settleMail(tx, mailId, now);
    await updatePassword(tx, accountId, passwordHash);
    if (!(await takeResetToken(tx, hash, now))) fail("reset_invalid");
    await sessions.endAll(tx, accountId);
    // Who had the account may have made keys, to come back by.
    await revokeKeys(tx, ctx, accountId, { sessions, clock });
    await note(tx, ctx, clock.now(), { action: "password.reset", target: accountId });
  });
  return { ok: true };
});
