import type { Actor } from "#shared/contract/actor.ts";
import type { AuditRecord } from "#shared/contract/audit.ts";
import type { Context } from "#shared/contract/implement.ts";
import type { Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { newId } from "#shared/ids/ids.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { billing } from "./contract.ts";
import type { Account } from "./store.ts";

/** Who asked for a change of an account, from where, and why. */
export type Cause = Pick<AuditRecord, "via" | "action" | "address" | "requestId"> & {
  actor: string;
  reason: string | null;
};

export function causeOf(ctx: Context, action: string, reason: string | null): Cause {
  const { actor, address = null, requestId } = ctx;
  const via = actor.kind === "account" ? actor.via : null;
  return { actor: actorName(actor), via, action, reason, address, requestId };
}

function actorName(actor: Actor): string {
  if (actor.kind === "account") return actor.id;
  return actor.kind === "service" ? `service:${actor.name}` : "anonymous";
}

/** A change that this service made by itself, when its time had come. */
export function ownCause(action: string, reason: string): Cause {
  const requestId = requestIdOf(newTraceparent());
  return { actor: `service:${billing.service}`, via: null, action, reason, address: null, requestId };
}

/** Tells the audit log, in the transaction of the change, what the edge cannot see: the reason and what came of it. */
export async function tellAudit(tx: Tx, cause: Cause, account: Account, now: number): Promise<void> {
  const { reason, ...who } = cause;
  const { accountId, override } = account;
  const id = newId("aud");
  const state = override?.state ?? null;
  await emit(tx, billing.events.auditRecorded, {
    key: id,
    version: 1,
    data: {
      ...who,
      id,
      target: accountId,
      customerId: accountId,
      at: new Date(now).toISOString(),
      details: { reason, state, until: override?.until?.toISOString() ?? null },
    },
  });
}
