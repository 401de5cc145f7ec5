import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { removeKey } from "../store/keys.ts";

export const revokeKey = verb(
  gateway,
  "revokeKey",
)(({ db, clock, sessions }: Deps) => async ({ input: { keyId }, ctx, fail }) => {
  const { id } = signedIn(ctx.actor);
  await withTx(db, async (tx) => {
    const details = (await removeKey(tx, keyId, id)) ?? fail("key_not_found");
    sessions.revoked(tx, keyId);
    await note(tx, ctx, clock.now(), { action: "key.revoke", target: keyId, details });
  });
  return { ok: true };
});
