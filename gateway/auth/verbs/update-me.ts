import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { namesOf, signedIn, userOf } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { readAccount, updateNames } from "../store.ts";

export const updateMe = verb(
  gateway,
  "updateMe",
)(({ db }: Deps) => async ({ input, ctx }) => {
  const { id } = signedIn(ctx.actor);
  const account = await withTx(db, async (tx) => {
    await updateNames(tx, id, namesOf(input));
    return await readAccount(tx, id);
  });
  return { ok: true, user: userOf(account) };
});
