import type { Tx } from "#shared/db/connect.ts";
import { type AccountState, plans } from "./contract.ts";

type State = AccountState["serverBillingState"];

export type OverrideRow = { state: State; reason: string; until: Date | null; by: string };

export type Account = {
  accountId: string;
  plan: AccountState["plan"];
  limits: AccountState["limits"];
  billingStatus: AccountState["billingStatus"];
  /** What payments alone make of the account's servers. */
  earnedState: State;
  override: OverrideRow | null;
  /** When the state that is in force began. */
  since: Date;
  version: number;
};

type Row = Omit<Account, "override"> & {
  overrideState: State | null;
  overrideReason: string;
  overrideUntil: Date | null;
  overrideBy: string;
};

function account(row: Row | undefined): Account | undefined {
  if (!row) return undefined;
  const { overrideState: state, overrideReason: reason, overrideUntil: until, overrideBy: by, ...rest } = row;
  return { ...rest, override: state === null ? null : { state, reason, until, by } };
}

const columns = (tx: Tx) =>
  tx`account_id, plan, limits, billing_status, earned_state, override_state, override_reason, override_until,
    override_by, since, version`;

export async function readAccount(tx: Tx, accountId: string): Promise<Account | undefined> {
  const [row] = await tx<Row[]>`select ${columns(tx)} from account where account_id = ${accountId}`;
  return account(row);
}

/** Reads an account and keeps others from changing it until the transaction ends. */
export async function lockAccount(tx: Tx, accountId: string): Promise<Account | undefined> {
  const [row] = await tx<Row[]>`
    select ${columns(tx)} from account where account_id = ${accountId} for update`;
  return account(row);
}

/** The new account on the free plan; undefined when there was one already. */
export async function insertAccount(tx: Tx, accountId: string, since: Date): Promise<Account | undefined> {
  const [row] = await tx<Row[]>`
    insert into account (account_id, plan, limits, since)
    values (${accountId}, 'free', ${tx.json(plans.free)}, ${since})
    on conflict (account_id) do nothing
    returning ${columns(tx)}`;
  return account(row);
}

export async function updateOverride(tx: Tx, changed: Account): Promise<void> {
  const { accountId, override, since, version } = changed;
  await tx`
    update account set
      override_state = ${override?.state ?? null},
      override_reason = ${override?.reason ?? null},
      override_until = ${override?.until ?? null},
      override_by = ${override?.by ?? null},
      since = ${since},
      version = ${version},
      updated_at = now()
    where account_id = ${accountId}`;
}
