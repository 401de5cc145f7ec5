import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { handOut } from "../cookie.ts";
import type { Deps } from "../service.ts";
import { findByIdentifier, holdPassword } from "../store/accounts.ts";

// A wrong password and an unknown name take the same way: one look-up, one verification, one audit row, one answer.
export const login = verb(
  gateway,
  "login",
)(({ db, clock, passwords, sessions, settings }: Deps) => async ({ input, ctx, fail }) => {
  // Lower case as the limit of rate has it: where the database knows more letters, a name had several counts.
  const name = input.identifier.trim().toLowerCase();
  const found = await withTx(db, (tx) => findByIdentifier(tx, name), { readOnly: true });
  const matches = await passwords.matches(input.password, found?.passwordHash, ctx.signal);
  const opened = await withTx(db, async (tx) => {
    const target = found?.id ?? null;
    // The password may have been changed while this one was verified: then no session is opened with the old one.
    if (!found || !matches || !(await holdPassword(tx, found.id, found.passwordHash))) {
      await note(tx, ctx, clock.now(), { action: "session.login_failed", target });
      return undefined;
    }
    await note(tx, ctx, clock.now(), { actor: found.id, action: "session.login", target });
    const session = await sessions.open(tx, found, ctx.address);
    for (const displaced of session.displaced) {
      const details = { reason: "limit" };
      await note(tx, ctx, clock.now(), {
        actor: found.id,
        action: "session.end",
        target: displaced,
        details,
      });
    }
    return session;
  });
  return handOut(ctx, opened ?? fail("wrong_credentials"), settings);
});
