import type { Context } from "#shared/contract/implement.ts";
import type { Tx } from "#shared/db/connect.ts";
import { note } from "./audit.ts";
import type { Deps } from "./service.ts";

/**
 * Ends the session that the refresh cookie belongs to, where it is another one than the access token's: whoever signs in
 * twice in one browser has but one cookie. It is taken away with this answer, and what nobody can refresh any more must
 * not live on, least of all in the hands of somebody who has a copy.
 */
export async function endSessionOfCookie(
  tx: Tx,
  ctx: Context,
  { sessions, clock }: Pick<Deps, "sessions" | "clock">,
): Promise<void> {
  const ended = await sessions.endOf(tx, ctx.cookie);
  if (!ended) return;
  const { id: target, accountId: customerId } = ended;
  await note(tx, ctx, clock.now(), { action: "session.end", target, customerId });
}
