import type { Tx } from "#shared/db/connect.ts";
import type { LockRecord } from "./server.ts";
import { touched } from "./touched.ts";

/**
 * In milliseconds, how long a lock is its holder's without a sign of life: from the moment that it is taken, and from each
 * heartbeat. Ages are by the database's clock, which all replicas share.
 */
export type LockLife = { takenMs: number; beatenMs: number };

/** Whether the lock `l` of the statement is somebody's. Nothing has begun under one that was never beaten: it has no phase. */
export const isAlive = (tx: Tx, { takenMs, beatenMs }: LockLife) => tx`
  coalesce(l.heartbeat_at > now() - interval '1 millisecond' *
    case when l.phase is null then ${takenMs}::float8 else ${beatenMs}::float8 end, false)`;

export type Held = { instanceId: string; operationId: string; fence: number };

/**
 * The insert that takes a lock, for each row of `from` (which has `instance_id`): it succeeds when nobody holds the
 * lock, when its holder has given no sign of life for as long as `life` says, or when `operationId` itself holds it (a call
 * that is repeated because its answer was lost). The fence grows each time that the holder changes.
 */
export const takeLock = (
  tx: Tx,
  from: ReturnType<Tx>,
  o: { operationId: string; type: string; life: LockLife },
) => tx`
  insert into operation_lock as l (instance_id, fence, operation_id, type, locked_at, heartbeat_at)
  select instance_id, 1, ${o.operationId}, ${o.type}, now(), now() from ${from}
  on conflict (instance_id) do update set
    fence = case when l.operation_id = excluded.operation_id then l.fence else l.fence + 1 end,
    locked_at = case when l.operation_id = excluded.operation_id then l.locked_at else excluded.locked_at end,
    phase = case when l.operation_id = excluded.operation_id then l.phase end,
    message = case when l.operation_id = excluded.operation_id then l.message end,
    operation_id = excluded.operation_id, type = excluded.type,
    heartbeat_at = excluded.heartbeat_at, updated_at = now()
  where l.operation_id = excluded.operation_id or not ${isAlive(tx, o.life)}
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
  o: Held & { type: string; phase: string; message: string | null },
): Promise<boolean> {
  const rows = await tx`
    update operation_lock set
      type = ${o.type}, phase = ${o.phase}, message = ${o.message}, heartbeat_at = now(), updated_at = now()
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
