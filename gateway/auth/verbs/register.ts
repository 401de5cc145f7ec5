import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { namesOf, openAccount } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { insertAudit } from "../store.ts";

export const register = verb(
  gateway,
  "register",
)(({ db, passwords, sessions }: Deps) => async ({ input, ctx, fail }) => {
  const { email, username, password, ...names } = input;
  const passwordHash = await passwords.hash(password, ctx.signal);
  const issued = await withTx(db, async (tx) => {
    const account = { email, username, passwordHash, role: "customer", ...namesOf(names) } as const;
    const opened = await openAccount(tx, account);
    if ("taken" in opened) return fail(`${opened.taken}_taken`);
    const { id } = opened;
    const { address, requestId } = ctx;
    await insertAudit(tx, { actor: id, action: "account.register", target: id, address, requestId });
    return await sessions.open(tx, opened, address);
  });
  return { ok: true, ...issued };
});
