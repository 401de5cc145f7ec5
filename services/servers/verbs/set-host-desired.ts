import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitChanged } from "../events.ts";
import type { Deps } from "../service.ts";
import { setHostDesired as write } from "../store.ts";

export const setHostDesired = verb(
  servers,
  "setHostDesired",
)(({ db }: Deps) => async ({ input, fail }) => ({
  version: await withTx(db, async (tx) => {
    const { instance, changed } = (await write(tx, input)) ?? fail("stale");
    if (changed) await emitChanged(tx, instance);
    return instance.version;
  }),
}));
