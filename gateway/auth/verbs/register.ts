import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { namesOf, openAccount } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { handOut } from "../cookie.ts";
import type { Deps } from "../service.ts";

export const register = verb(
  gateway,
  "register",
)(({ db, clock, passwords, sessions, settings }: Deps) => async ({ input, ctx, fail }) => {
  const { email, username, password, ...names } = input;
  const passwordHash = await passwords.hash(password, ctx.signal);
  const opened = await withTx(db, async (tx) => {
    const account = { email, username, passwordHash, role: "customer", ...namesOf(names) } as const;
    const made = await openAccount(tx, account);
    if ("taken" in made) return fail(`${made.taken}_taken`);
    const { id } = made;
    await note(tx, ctx, clock.now(), { actor: id, action: "account.register", target: id });
    return await sessions.open(tx, made, ctx.address);
  });
  return { ok: true, ...handOut(ctx, opened, settings) };
});
