import type { Actor } from "#shared/contract/actor.ts";
import type { Context } from "#shared/contract/implement.ts";
import type { Cause } from "./account.ts";

/** Who asked for a change, from where, as the audit trail keeps it. */
export function causeOf(ctx: Context, action: string, reason: string | null): Cause {
  const { actor, address = null, requestId } = ctx;
  return { actor: actorName(actor), action, reason, address, requestId };
}

function actorName(actor: Actor): string {
  if (actor.kind === "account") return actor.id;
  return actor.kind === "service" ? `service:${actor.name}` : "anonymous";
}
