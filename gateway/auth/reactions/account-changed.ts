import { billing } from "#services/billing/contract.ts";
import { on } from "#shared/bus/consume.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Deps } from "../service.ts";
import { storeBillingState } from "../store.ts";

/** Keeps what the account's page shows of its billing. Late and repeated events change nothing: a newer version wins. */
export const accountChanged = ({ db }: Pick<Deps, "db">) =>
  on(billing, "accountChanged", async ({ data }) => {
    const { accountId, version, billingStatus, serverBillingState, since } = data;
    const suspended = serverBillingState === "suspended_shutdown" || serverBillingState === "retained";
    await withTx(db, (tx) =>
      storeBillingState(tx, {
        accountId,
        version,
        billingStatus,
        suspendedAt: suspended ? new Date(since) : null,
      }),
    );
  });
