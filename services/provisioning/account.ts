import type { Meta } from "#shared/bus/headers.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Deps } from "./service.ts";
import { knowsAccount, saveAccount } from "./store.ts";

/**
 * Makes sure that an account's billing state is known here: from its events, or else by asking. While billing is
 * silent the last known state holds; an account that was never heard of is `service.unavailable` then.
 */
export async function learnAccount(
  { db, billing }: Pick<Deps, "db" | "billing">,
  accountId: string,
  meta: Meta,
): Promise<void> {
  if (await withTx(db, (tx) => knowsAccount(tx, accountId), { readOnly: true })) return;
  const state = await billing.getAccount({ accountId }, meta).catch((cause: unknown) => {
    const detail = "The account's plan cannot be read at the moment";
    throw coreFault("service.unavailable", { detail, retryAfter: 2 }, { cause });
  });
  await withTx(db, (tx) => saveAccount(tx, state));
}
