import { withTx } from "#shared/db/tx.ts";
import { changeOverride } from "./account.ts";
import { ownCause } from "./audit.ts";
import type { Deps } from "./service.ts";
import { lockAccount } from "./store.ts";

/**
 * Handler of the enforcement queue; the job's key is an account. Lifts an override whose time is over, and comes
 * back when the time of the one in force will be. What is written depends on the locked account alone, so a worker
 * that has lost its lease can do no harm.
 */
export const reconcileAccount =
  ({ db, clock }: Deps) =>
  ({ job }: { job: { key: string } }) =>
    withTx(db, async (tx): Promise<{ again: number } | undefined> => {
      const account = await lockAccount(tx, job.key);
      if (!account?.override?.until) return undefined;
      const now = clock.now();
      const leftMs = account.override.until.getTime() - now;
      if (leftMs > 0) return { again: leftMs };
      const cause = ownCause("billing.override_expired", account.override.reason);
      await changeOverride(tx, account, null, cause, now);
      return undefined;
    });
