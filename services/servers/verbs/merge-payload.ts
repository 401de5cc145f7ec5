import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { emitChanged } from "../events.ts";
import type { Deps } from "../service.ts";
import { lockInstance, payloadWrittenAt, writePayload } from "../store.ts";

/** How far the clock of who tells an event may be ahead of ours. */
const aheadMs = 5 * 60_000;

export const mergePayload = verb(
  servers,
  "mergePayload",
)(({ db, clock }: Deps) => async ({ input, fail }) => ({
  version: await withTx(db, async (tx) => {
    const { instanceId, key, value, eventAt } = input;
    // It would refuse everything that happens until then.
    if (Date.parse(eventAt) > clock.now() + aheadMs) return fail("event_in_future");
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
