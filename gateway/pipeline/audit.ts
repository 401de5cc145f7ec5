import { insertAudit, updateAuditStatus } from "#gateway/auth/store/audit.ts";
import type { Actor } from "#shared/contract/actor.ts";
import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Exchange, Stage } from "../exchange.ts";

export type AuditOptions = {
  db: Db;
  clock: Clock;
  /** The service whose verbs keep their own record. */
  own: string;
  /** Milliseconds within which a line must be written, or the request is refused. */
  writeMs?: number;
  /** Milliseconds for which an answer waits until its status is noted. */
  settleMs?: number;
};

/**
 * Leaves a line in the audit log of whatever an account is about to change at another service: before the call, so that
 * no effect is without one, and with the status of the answer afterwards. A line without status is a request of which
 * nobody knows how it ended. The gateway's own verbs write theirs themselves, with what they know besides.
 */
export const audited =
  (o: AuditOptions): Stage =>
  (x) => {
    const { route, contract, actor } = x;
    if (route.policy.idempotency === "safe" || contract.service === o.own) return undefined;
    return actor.kind === "account" ? onRecord(x, actor, o) : undefined;
  };

async function onRecord(
  x: Exchange,
  actor: Extract<Actor, { kind: "account" }>,
  { db, clock, writeMs = 3_000, settleMs = 1_000 }: AuditOptions,
): Promise<void> {
  const { address, requestId } = x;
  const id = newId("aud");
  // The path alone names what is acted on: what a body says may be anything, and the target's owner reads this line.
  const target = x.params["id"];
  const record = {
    id,
    actor: actor.id,
    via: actor.via,
    action: `${x.contract.service}.${x.name}`,
    target: target?.slice(0, 64) ?? null,
    customerId: null,
    address,
    requestId,
    at: new Date(clock.now()).toISOString(),
    details: {},
  };
  await withTx(db, (tx) => insertAudit(tx, record), { timeoutMs: writeMs });
  x.settled.push((status) => withTx(db, (tx) => updateAuditStatus(tx, id, status), { timeoutMs: settleMs }));
}
