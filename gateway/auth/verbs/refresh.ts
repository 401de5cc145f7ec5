import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { handOut } from "../cookie.ts";
import type { Deps } from "../service.ts";

export const refresh = verb(
  gateway,
  "refresh",
)(({ db, clock, sessions, settings }: Deps) => async ({ ctx, fail }) => {
  const next = await withTx(db, async (tx) => {
    const traded = await sessions.refresh(tx, ctx.cookie);
    if (traded && "reused" in traded) {
      const { accountId: customerId, sessionId: target } = traded.reused;
      await note(tx, ctx, clock.now(), { action: "session.refresh_reused", target, customerId });
    }
    return traded;
  });
  if (!next) return fail("refresh_invalid");
  if ("reused" in next) return fail("refresh_reused");
  return handOut(ctx, next, settings);
});
