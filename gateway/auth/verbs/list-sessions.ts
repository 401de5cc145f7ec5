import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { listSessions as readSessions } from "../store/sessions.ts";

export const listSessions = verb(
  gateway,
  "listSessions",
)(({ db, clock }: Deps) => async ({ ctx }) => {
  const { id, via } = signedIn(ctx.actor);
  const now = new Date(clock.now());
  const found = await withTx(db, (tx) => readSessions(tx, id, now), { readOnly: true });
  const sessions = found.map(({ createdAt, updatedAt, expiresAt, ...session }) => ({
    ...session,
    current: session.id === via,
    createdAt: createdAt.toISOString(),
    refreshedAt: updatedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }));
  return { ok: true, sessions };
});
