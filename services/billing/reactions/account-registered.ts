import { gateway } from "#gateway/auth/contract.ts";
import { on } from "#shared/bus/consume.ts";
import { withTx } from "#shared/db/tx.ts";
import { openAccount } from "../account.ts";
import type { Deps } from "../service.ts";

/** Opens the billing account of a new sign-up. Hearing of it twice opens one. */
export const accountRegistered = ({ db, clock }: Deps) =>
  on(gateway, "accountRegistered", async ({ data }) => {
    await withTx(db, (tx) => openAccount(tx, data.accountId, clock.now()));
  });
