import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { dropLock, lockInstance, lockReservation, restVmid } from "../store.ts";

export const release = verb(
  servers,
  "release",
)(({ db, clock, config }: Deps) => async ({ input, fail }) => ({
  released: await withTx(db, async (tx) => {
    // First, so that an activation under way is seen: a number that is at rest is activated no more.
    await lockReservation(tx, input.instanceId);
    if (await lockInstance(tx, input.instanceId)) return fail("still_live");
    // Whoever takes a server down holds its lock to here, and nothing can be done to it any more.
    await dropLock(tx, input.instanceId);
    return restVmid(tx, input.instanceId, new Date(clock.now() + config.VMID_REST_MS));
  }),
}));
