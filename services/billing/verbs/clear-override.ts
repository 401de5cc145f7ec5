import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { changeOverride, publicState } from "../account.ts";
import { causeOf } from "../audit.ts";
import { billing } from "../contract.ts";
import type { Deps } from "../service.ts";
import { lockAccount } from "../store.ts";

export const clearOverride = verb(
  billing,
  "clearOverride",
)(
  ({ db, clock }: Deps) =>
    async ({ input, ctx, fail }) =>
      withTx(db, async (tx) => {
        const account = (await lockAccount(tx, input.id)) ?? fail("account_not_found");
        const cause = causeOf(ctx, "billing.override_lifted", account.override?.reason ?? null);
        return publicState(await changeOverride(tx, account, null, cause, clock.now()));
      }),
);
