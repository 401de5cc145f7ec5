import type { Tx } from "#shared/db/connect.ts";
import type { AccountState } from "#services/billing/contract.ts";
import { touched } from "./touched.ts";

/** Stores what billing said, unless something newer is stored already; whether it was news. */
export async function storeAccount(tx: Tx, account: AccountState): Promise<boolean> {
  const { accountId, billingStatus, serverBillingState, version } = account;
  const row = { accountId, billingStatus, serverBillingState, since: new Date(account.since), version };
  const rows = await tx`
    insert into account_billing ${tx(row)}
    on conflict (account_id) do update set
      billing_status = excluded.billing_status, server_billing_state = excluded.server_billing_state,
      since = excluded.since, version = excluded.version, updated_at = now()
    where account_billing.version < excluded.version
    returning account_id`;
  if (rows.length > 0) touched(tx, { customerId: accountId });
  return rows.length > 0;
}
