import type { Tx } from "#shared/db/connect.ts";

export type BillingState = {
  accountId: string;
  version: number;
  billingStatus: string;
  /** When the suspension began, as this version tells it; null: not suspended. */
  suspendedAt: Date | null;
};

/** Stores a newer version. A suspension that goes on under another name keeps the moment at which it began. */
export async function storeBillingState(tx: Tx, state: BillingState): Promise<void> {
  await tx`
    insert into billing_state ${tx(state)}
    on conflict (account_id) do update set
      version = excluded.version,
      billing_status = excluded.billing_status,
      suspended_at = case when excluded.suspended_at is not null
        then coalesce(billing_state.suspended_at, excluded.suspended_at) end,
      updated_at = now()
    where billing_state.version < excluded.version`;
}
