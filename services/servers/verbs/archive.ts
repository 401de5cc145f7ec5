import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitArchived, emitChanged } from "../events.ts";
import type { Deps } from "../service.ts";
import { archiveInstance, beginRemoval, findArchived, lockReservation } from "../store.ts";

export const archive = verb(
  servers,
  "archive",
)(({ db, clock }: Deps) => async ({ input: { keepRow, ...input } }) => ({
  archived: await withTx(db, async (tx) => {
    // An activation whose caller has given up may not have ended yet.
    await lockReservation(tx, input.instanceId);
    const change = { ...input, at: new Date(clock.now()) };
    const removal = keepRow ? await beginRemoval(tx, change) : undefined;
    if (removal?.begun) await emitChanged(tx, removal.instance);
    const gone = keepRow ? undefined : await archiveInstance(tx, change);
    if (gone) await emitArchived(tx, gone);
    return removal !== undefined || (await findArchived(tx, input.instanceId)) !== undefined;
  }),
}));
