import { type AccountState, billing } from "#services/billing/contract.ts";
import { on } from "#shared/bus/consume.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Deps } from "../service.ts";
import { storeBillingState } from "../store/billing.ts";

/** Keeps what the account's page shows of its billing. Late and repeated events change nothing: a newer version wins. */
export const accountChanged = ({ db }: Pick<Deps, "db">) =>
  on(billing, "accountChanged", async ({ data }) => {
    const { accountId, version } = data;
    await withTx(db, (tx) => storeBillingState(tx, { accountId, version, ...shown(data) }));
  });

const suspensions: ReadonlySet<string> = new Set(["suspended", "retained", "pending_deletion"]);

/**
 * Status and suspension as they are shown, both from what is in force for the servers. An operator's override may put
 * that beside what the account has earned: then the status is the one that tells of the state in force.
 */
function shown({ billingStatus, serverBillingState: state, since }: AccountState) {
  const suspended = state === "suspended_shutdown" || state === "retained";
  if (!suspended)
    return {
      billingStatus: suspensions.has(billingStatus) ? "overdue_warning" : billingStatus,
      suspendedAt: null,
    };
  const inForce = state === "retained" ? "retained" : "suspended";
  // Pending deletion is retained with a date; which of the two an account has earned is billing's to say.
  const exact = state === "retained" && billingStatus === "pending_deletion" ? billingStatus : inForce;
  return { billingStatus: exact, suspendedAt: new Date(since) };
}
