import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";

export const endSession = verb(
  gateway,
  "endSession",
)(({ db, clock, sessions }: Deps) => async ({ input: { sessionId }, ctx, fail }) => {
  const { id } = signedIn(ctx.actor);
  await withTx(db, async (tx) => {
    if (!(await sessions.endOwn(tx, sessionId, id))) fail("session_not_found");
    await note(tx, ctx, clock.now(), { action: "session.end", target: sessionId });
  });
  return { ok: true };
});
