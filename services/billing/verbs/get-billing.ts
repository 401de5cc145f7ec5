import { accountId } from "#shared/contract/actor.ts";
import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { openAccount, publicState } from "../account.ts";
import { billing } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getBilling = verb(
  billing,
  "getBilling",
)(({ db, clock }: Deps) => async ({ ctx }) => {
  const id = accountId(ctx.actor);
  if (id === undefined) throw coreFault("auth.required");
  return publicState(await withTx(db, (tx) => openAccount(tx, id, clock.now())));
});
