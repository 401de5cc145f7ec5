import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { gateway } from "../contract.ts";
import { recoveryQueue } from "../recovery.ts";
import { hashOf } from "../secrets.ts";
import type { Deps } from "../service.ts";

// Whether there is such an account is looked up after the answer, so that neither its text nor its time can tell.
export const forgotPassword = verb(
  gateway,
  "forgotPassword",
)(({ db, clock }: Deps) => async ({ input: { email }, ctx: { address = null, requestId } }) => {
  const payload = { email, address, requestId, at: clock.now() };
  const key = hashOf(email.toLowerCase());
  await withTx(db, (tx) => enqueue(tx, { queue: recoveryQueue, key, payload }));
  return { ok: true };
});
