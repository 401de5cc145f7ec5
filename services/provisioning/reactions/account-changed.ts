import { billing } from "#services/billing/contract.ts";
import { on } from "#shared/bus/consume.ts";
import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { saveAccount } from "../store.ts";

/** Keeps what billing says about an account. Old news and news heard twice change nothing. */
export const accountChanged = ({ db }: { db: Db }) =>
  on(billing, "accountChanged", async ({ data }) => {
    await withTx(db, (tx) => saveAccount(tx, data));
  });
