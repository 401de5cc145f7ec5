import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn, userOf } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { readAccount } from "../store/accounts.ts";

export const profile = verb(
  gateway,
  "profile",
)(({ db }: Deps) => async ({ ctx }) => {
  const { id } = signedIn(ctx.actor);
  return userOf(await withTx(db, (tx) => readAccount(tx, id), { readOnly: true }));
});
