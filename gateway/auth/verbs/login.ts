import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { findByIdentifier, insertAudit } from "../store.ts";

// A wrong password and an unknown name take the same way: one look-up, one verification, one audit row, one answer.
export const login = verb(
  gateway,
  "login",
)(({ db, passwords, sessions }: Deps) => async ({ input, ctx, fail }) => {
  const { address, requestId } = ctx;
  const found = await withTx(db, (tx) => findByIdentifier(tx, input.identifier.trim()), { readOnly: true });
  const matches = await passwords.matches(input.password, found?.passwordHash, ctx.signal);
  const issued = await withTx(db, async (tx) => {
    const target = found?.id ?? null;
    if (!found || !matches) {
      await insertAudit(tx, { actor: null, action: "session.login_failed", target, address, requestId });
      return undefined;
    }
    await insertAudit(tx, { actor: found.id, action: "session.login", target, address, requestId });
    return await sessions.open(tx, found, address);
  });
  return issued ?? fail("wrong_credentials");
});
