import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { namesOf, signedIn, userOf } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { readAccount, updateNames } from "../store/accounts.ts";

export const updateMe = verb(
  gateway,
  "updateMe",
)(({ db, clock }: Deps) => async ({ input, ctx }) => {
  const { id } = signedIn(ctx.actor);
  const names = namesOf(input);
  const account = await withTx(db, async (tx) => {
    await updateNames(tx, id, names);
    const details = { fields: Object.keys(names) };
    await note(tx, ctx, clock.now(), { action: "account.update", target: id, details });
    return await readAccount(tx, id);
  });
  return { ok: true, user: userOf(account) };
});
