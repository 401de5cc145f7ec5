import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitChanged } from "../events.ts";
import type { Deps } from "../service.ts";
import { lockInstance, payloadWrittenAt, writePayload } from "../store.ts";

export const mergePayload = verb(
  servers,
  "mergePayload",
)(({ db }: Deps) => async ({ input, fail }) => ({
  version: await withTx(db, async (tx) => {
    const { instanceId, key, value, eventAt } = input;
    const instance = (await lockInstance(tx, instanceId)) ?? fail("not_found");
    const writtenAt = await payloadWrittenAt(tx, instanceId, key);
    const age = Date.parse(writtenAt ?? eventAt) - Date.parse(eventAt);
    if (age > 0) return fail("stale");
    // The same event again: nothing changes, and nobody is told.
    if (writtenAt && age === 0 && Bun.deepEquals(instance.payload[key] ?? null, value))
      return instance.version;
    const changed = (await writePayload(tx, input)) ?? fail("not_found");
    await emitChanged(tx, changed);
    return changed.version;
  }),
}));
