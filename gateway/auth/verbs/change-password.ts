import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { revokeKeys } from "../revoke-keys.ts";
import type { Deps } from "../service.ts";
import { readPasswordHash, replacePassword } from "../store/accounts.ts";
import { dropResetToken } from "../store/mail.ts";

export const changePassword = verb(
  gateway,
  "changePassword",
)(({ db, clock, passwords, sessions }: Deps) => async ({ input, ctx, fail }) => {
  const { id, via } = signedIn(ctx.actor);
  const current = await withTx(db, (tx) => readPasswordHash(tx, id), { readOnly: true });
  const matches = await passwords.matches(input.currentPassword, current, ctx.signal);
  const next = matches ? await passwords.hash(input.newPassword, ctx.signal) : undefined;
  const changed = await withTx(db, async (tx) => {
    // Of two changes at once the second one no longer knows the current password.
    const replaced = current && next ? await replacePassword(tx, id, next, current) : false;
    if (replaced) {
      await dropResetToken(tx, id);
      await sessions.endAll(tx, id, via);
      if (input.revokeApiKeys) await revokeKeys(tx, ctx, id, { sessions, clock });
    }
    const action = replaced ? "password.change" : "password.change_failed";
    await note(tx, ctx, clock.now(), { action, target: id });
    return replaced;
  });
  return changed ? { ok: true } : fail("wrong_password");
});
