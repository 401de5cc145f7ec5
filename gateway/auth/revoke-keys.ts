import type { Context } from "#shared/contract/implement.ts";
import type { Tx } from "#shared/db/connect.ts";
import { note } from "./audit.ts";
import type { Deps } from "./service.ts";
import { removeKeys } from "./store/keys.ts";

/** Ends every API key of an account that the transaction has locked, each with a line of its own in the audit log. */
export async function revokeKeys(
  tx: Tx,
  ctx: Context,
  accountId: string,
  { sessions, clock }: Pick<Deps, "sessions" | "clock">,
): Promise<void> {
  for (const { id: target, name } of await removeKeys(tx, accountId)) {
    sessions.revoked(tx, target);
    await note(tx, ctx, clock.now(), {
      action: "key.revoke",
      target,
      customerId: accountId,
      details: { name },
    });
  }
}
