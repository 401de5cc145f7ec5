import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { openAccount, publicState } from "../account.ts";
import { billing } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getAccount = verb(
  billing,
  "getAccount",
)(
  ({ db, clock }: Deps) =>
    async ({ input }) =>
      publicState(await withTx(db, (tx) => openAccount(tx, input.accountId, clock.now()))),
);
