import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import { viewOf } from "../keys.ts";
import type { Deps } from "../service.ts";
import { listKeys as readKeys } from "../store/keys.ts";

export const listKeys = verb(
  gateway,
  "listKeys",
)(({ db }: Deps) => async ({ ctx }) => {
  const { id } = signedIn(ctx.actor);
  const keys = await withTx(db, (tx) => readKeys(tx, id), { readOnly: true });
  return { ok: true, keys: keys.map(viewOf) };
});
