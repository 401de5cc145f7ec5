import type { Actor } from "#shared/contract/actor.ts";
import type { Context } from "#shared/contract/implement.ts";
import type { Tx } from "#shared/db/connect.ts";
import { newId } from "#shared/ids/ids.ts";
import { insertAudit } from "./store/audit.ts";

// The gateway keeps the audit log of the whole mesh. Its own verbs write what they did in the transaction in which they
// did it; a request to another service is written by the pipeline, before the call; what only a service can see arrives
// as its event.

/** What the gateway's own verbs put on record. */
export type OwnAction =
  | "account.register"
  | "account.update"
  | "session.login"
  | "session.login_failed"
  | "session.logout"
  | "session.logout_all"
  | "session.end"
  | "session.refresh_reused"
  | "password.change"
  | "password.change_failed"
  | "password.forgot"
  | "password.reset_minted"
  | "password.reset"
  | "key.create"
  | "key.revoke";

export type OwnEntry = {
  action: OwnAction;
  /** Account, session or key that was acted on; null when none has the name that was given. */
  target: string | null;
  /** Who acted, where the call itself does not tell: a sign-in makes its account known only by succeeding. */
  actor?: string | null;
  /** Account that owns the target, where that is neither the actor nor the target itself. */
  customerId?: string;
  details?: Record<string, unknown>;
};

/** Notes in the transaction of a verb what it did. `now`: milliseconds since the epoch. */
export async function note(
  tx: Tx,
  ctx: Pick<Context, "actor" | "address" | "requestId">,
  now: number,
  { actor = whoActs(ctx.actor), action, target, customerId, details = {} }: OwnEntry,
): Promise<void> {
  await insertAudit(tx, {
    id: newId("aud"),
    actor,
    via: ctx.actor.kind === "account" ? ctx.actor.via : null,
    action,
    target,
    customerId: customerId ?? null,
    address: ctx.address ?? null,
    requestId: ctx.requestId,
    at: new Date(now).toISOString(),
    details,
  });
}

const whoActs = (actor: Actor): string | null => {
  if (actor.kind === "account") return actor.id;
  return actor.kind === "service" ? `service:${actor.name}` : null;
};
