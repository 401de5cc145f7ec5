import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { endSessionOfCookie } from "../cookie-session.ts";
import { takeBack } from "../cookie.ts";
import type { Deps } from "../service.ts";

export const logout = verb(
  gateway,
  "logout",
)(({ db, clock, sessions, settings }: Deps) => async ({ ctx }) => {
  const { id, via } = signedIn(ctx.actor);
  await withTx(db, async (tx) => {
    await sessions.end(tx, via);
    await endSessionOfCookie(tx, ctx, { sessions, clock });
    await note(tx, ctx, clock.now(), { action: "session.logout", target: id });
  });
  takeBack(ctx, settings);
  return { ok: true };
});
