import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitArchived } from "../events.ts";
import type { Deps } from "../service.ts";
import { archiveInstance, isArchived, lockReservation } from "../store.ts";

export const archive = verb(
  servers,
  "archive",
)(({ db, clock }: Deps) => async ({ input }) => ({
  archived: await withTx(db, async (tx) => {
    // An activation whose caller has given up may not have ended yet.
    await lockReservation(tx, input.instanceId);
    const instance = await archiveInstance(tx, { ...input, at: new Date(clock.now()) });
    if (!instance) return isArchived(tx, input.instanceId);
    await emitArchived(tx, instance);
    return true;
  }),
}));
