import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { findReservation, markForeign, serialiseReservations, takeVmid } from "../store.ts";

export const reserve = verb(
  servers,
  "reserve",
)(({ db, clock, config }: Deps) => async ({ input, fail }) => {
  const { exclude, ...holder } = input;
  const now = clock.now();
  const ranges = config.VMID_RANGES[input.ctype];
  const ours = exclude.filter((vmid) => ranges.some(({ from, to }) => vmid >= from && vmid <= to));
  const vmid = await withTx(db, async (tx) => {
    await serialiseReservations(tx);
    const freeAt = new Date(now + config.VMID_REST_MS);
    if (ours.length > 0) await markForeign(tx, { ...holder, vmids: ours, freeAt });
    return (await findReservation(tx, holder)) ?? takeVmid(tx, { ...holder, ranges, now: new Date(now) });
  });
  return vmid === undefined ? fail("range_exhausted") : { vmid, instanceId: input.instanceId };
});
