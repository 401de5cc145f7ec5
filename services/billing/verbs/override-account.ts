import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { changeOverride, publicState } from "../account.ts";
import { causeOf } from "../audit.ts";
import { billing } from "../contract.ts";
import type { Deps } from "../service.ts";
import { lockAccount } from "../store.ts";

export const overrideAccount = verb(
  billing,
  "overrideAccount",
)(({ db, clock }: Deps) => async ({ input, ctx, fail }) => {
  const until = input.until === null ? null : new Date(input.until);
  if (until && until.getTime() <= clock.now()) fail("until_past");
  const cause = causeOf(ctx, "billing.override", input.reason);
  return withTx(db, async (tx) => {
    const account = (await lockAccount(tx, input.id)) ?? fail("account_not_found");
    const override = { state: input.serverBillingState, reason: input.reason, until, by: cause.actor };
    return publicState(await changeOverride(tx, account, override, cause, clock.now()));
  });
});
