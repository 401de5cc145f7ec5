import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { insertAudit } from "../store.ts";

export const logout = verb(
  gateway,
  "logout",
)(({ db, sessions }: Deps) => async ({ ctx }) => {
  const { id, via } = signedIn(ctx.actor);
  const { address, requestId } = ctx;
  await withTx(db, async (tx) => {
    await sessions.end(tx, via);
    await insertAudit(tx, { actor: id, action: "session.logout", target: id, address, requestId });
  });
  return { ok: true };
});
