import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { releaseLock } from "../store.ts";

export const unlock = verb(
  servers,
  "unlock",
)(({ db, reconcile }: Deps) => async ({ input }) => {
  const released = await withTx(db, (tx) => releaseLock(tx, input));
  // Nothing was reconciled while the lock was held.
  if (released) reconcile(input.instanceId);
  return { released };
});
