import { verb } from "#shared/contract/implement.ts";
import { afterCommit, withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { readTargets, releaseLock } from "../store.ts";

export const unlock = verb(
  servers,
  "unlock",
)(({ db, reconcile, look }: Deps) => async ({ input }) => {
  const { instanceId } = input;
  const released = await withTx(db, async (tx) => {
    if (!(await releaseLock(tx, input))) return false;
    const [target] = await readTargets(tx, instanceId);
    // Whatever was done under the lock, a start of its host above all, shows at once.
    if (target) afterCommit(tx, () => look(target));
    return true;
  });
  // Nothing was reconciled while the lock was held.
  if (released) reconcile(instanceId);
  return { released };
});
