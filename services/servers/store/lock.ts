import type { Tx } from "#shared/db/connect.ts";
import type { LockRecord } from "./server.ts";
import { touched } from "./touched.ts";

export type Held = { instanceId: string; operationId: string; fence: number };

/**
 * The insert that takes a lock, for each row of `from` (which has `instance_id`): it succeeds when nobody holds the
 * lock, when its holder's last heartbeat is not after `aliveSince`, or when `operationId` itself holds it (a call that
 * is repeated because its answer was lost). The fence grows each time that the holder changes.
 */
export const takeLock = (
  tx: Tx,
  from: ReturnType<Tx>,
  o: { operationId: string; type: string; now: Date; aliveSince: Date },
) => tx`
  insert into operation_lock as l (instance_id, fence, operation_id, type, locked_at, heartbeat_at)
  select instance_id, 1, ${o.operationId}, ${o.type}, ${o.now}::timestamptz, ${o.now}::timestamptz from ${from}
  on conflict (instance_id) do update set
    fence = case when l.operation_id = excluded.operation_id then l.fence else l.fence + 1 end,
    locked_at = case when l.operation_id = excluded.operation_id then l.locked_at else excluded.locked_at end,
    operation_id = excluded.operation_id, type = excluded.type, phase = null, message = null,
    heartbeat_at = excluded.heartbeat_at, updated_at = now()
  where l.operation_id is null or l.operation_id = excluded.operation_id or l.heartbeat_at <= ${o.aliveSince}
  returning instance_id, fence`;

/** Takes the lock of one server; its fence, or undefined when it is not to be had. */
export async function claimLock(
  tx: Tx,
  { instanceId, ...o }: Parameters<typeof takeLock>[2] & { instanceId: string },
): Promise<number | undefined> {
  const rows = await tx<{ fence: number }[]>`
    ${takeLock(tx, tx`container_instance where instance_id = ${instanceId} and removing_at is null`, o)}`;
  touched(tx, instanceId);
  return rows[0]?.fence;
}

/** Who holds the lock, expired or not. */
export async function readLock(tx: Tx, instanceId: string): Promise<LockRecord | undefined> {
  const [row] = await tx<LockRecord[]>`
    select operation_id, type, phase, message, locked_at from operation_lock
    where instance_id = ${instanceId} and operation_id is not null`;
  return row;
}

/** Keeps the lock and says what is being done under it; false when it is not held under this fence any more. */
export async function beatLock(
  tx: Tx,
  o: Held & { type: string; phase: string | null; message: string | null; now: Date },
): Promise<boolean> {
  const rows = await tx`
    update operation_lock set
      type = ${o.type}, phase = ${o.phase}, message = ${o.message}, heartbeat_at = ${o.now}, updated_at = now()
    where instance_id = ${o.instanceId} and operation_id = ${o.operationId} and fence = ${o.fence}
    returning instance_id`;
  touched(tx, o.instanceId);
  return rows.length > 0;
}

/** Gives the lock back; false when it is not held under this fence. */
export async function releaseLock(tx: Tx, o: Held): Promise<boolean> {
  const rows = await tx`
    update operation_lock set
      operation_id = null, type = null, phase = null, message = null, locked_at = null, heartbeat_at = null,
      updated_at = now()
    where instance_id = ${o.instanceId} and operation_id = ${o.operationId} and fence = ${o.fence}
    returning instance_id`;
  touched(tx, o.instanceId);
  return rows.length > 0;
}

/** The lock's row of an instance that is no server any more, and that has given its number back. */
export async function dropLock(tx: Tx, instanceId: string): Promise<void> {
  await tx`delete from operation_lock where instance_id = ${instanceId}`;
}
