import { verb } from "#shared/contract/implement.ts";
import { afterCommit, withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitChanged } from "../events.ts";
import type { Deps } from "../service.ts";
import { claimReservation, findInstance, insertInstance } from "../store.ts";

export const activate = verb(
  servers,
  "activate",
)(
  ({ db, look }: Deps) =>
    ({ input, fail }) =>
      withTx(db, async (tx) => {
        const reserved = await claimReservation(tx, input);
        if (!reserved) return (await findInstance(tx, input.instanceId)) ?? fail("not_reserved");
        const instance = await insertInstance(tx, input);
        await emitChanged(tx, instance);
        // Seen at once, and not at the poller's next round: its owner is about to look at it.
        const { instanceId, agent } = input;
        afterCommit(tx, () => look({ instanceId, agent }));
        return instance;
      }),
);
