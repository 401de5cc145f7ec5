import type { Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { enqueue } from "#shared/queue/enqueue.ts";
import { type Cause, tellAudit } from "./audit.ts";
import { type AccountState, billing } from "./contract.ts";
import { type Account, insertAccount, type OverrideRow, readAccount, updateOverride } from "./store.ts";

/** The queue of everything that has to happen to an account at a certain time. */
export const enforcementQueue = "billing_enforcement";

/** What others may know of an account. */
export function publicState(account: Account): AccountState {
  const { accountId, plan, billingStatus, limits, version, since } = account;
  return {
    accountId,
    plan,
    billingStatus,
    serverBillingState: stateInForce(account),
    since: since.toISOString(),
    limits,
    version,
  };
}

const stateInForce = (account: Account) => account.override?.state ?? account.earnedState;

/** The account, opened on the free plan when this is the first that is heard of it. `now`: milliseconds. */
export async function openAccount(tx: Tx, accountId: string, now: number): Promise<Account> {
  const known = await readAccount(tx, accountId);
  if (known) return known;
  const born = await insertAccount(tx, accountId, new Date(now));
  if (born) {
    await announce(tx, born);
    return born;
  }
  const other = await readAccount(tx, accountId);
  if (!other) throw new Error(`account ${accountId} vanished`);
  return other;
}

/**
 * Puts or lifts (`null`) an operator's override of a locked account, tells everybody and the audit log who did it. Writing
 * what is in force already changes nothing. `now`: milliseconds.
 */
export async function changeOverride(
  tx: Tx,
  account: Account,
  override: OverrideRow | null,
  cause: Cause,
  now: number,
): Promise<Account> {
  if (same(account.override, override)) return account;
  const next: Account = { ...account, override, version: account.version + 1 };
  if (stateInForce(next) !== stateInForce(account)) next.since = new Date(now);
  await updateOverride(tx, next);
  if (override?.until)
    await enqueue(tx, { queue: enforcementQueue, key: account.accountId, runAt: override.until });
  await tellAudit(tx, cause, next, now);
  await announce(tx, next);
  return next;
}

function same(one: OverrideRow | null, other: OverrideRow | null): boolean {
  if (one === null || other === null) return one === other;
  return (
    one.state === other.state &&
    one.reason === other.reason &&
    one.until?.getTime() === other.until?.getTime()
  );
}

async function announce(tx: Tx, account: Account): Promise<void> {
  const { accountId: key, version } = account;
  await emit(tx, billing.events.accountChanged, { key, version, data: publicState(account) });
}
