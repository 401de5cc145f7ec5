import { billing } from "#services/billing/contract.ts";
import { on } from "#shared/bus/consume.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Deps } from "../service.ts";
import { instancesOf, storeAccount } from "../store.ts";

/** Keeps what `authorize` reads, and wakes the reconciler: suspension stops what runs, lifting it starts it again. */
export const accountChanged = ({ db, reconcile }: Pick<Deps, "db" | "reconcile">) =>
  on(billing, "accountChanged", async ({ data }) => {
    const instanceIds = await withTx(db, async (tx) =>
      (await storeAccount(tx, data)) ? instancesOf(tx, data.accountId) : [],
    );
    for (const instanceId of instanceIds) reconcile(instanceId);
  });
