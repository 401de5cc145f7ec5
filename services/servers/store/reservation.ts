import type { Tx } from "#shared/db/connect.ts";

export type VmidRange = { from: number; to: number };
type Holder = { operationId: string; instanceId: string; customerId: string; ctype: string };

/** Makes every reservation wait for the one before it: two that ran at once would choose the same number. */
export async function serialiseReservations(tx: Tx): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended('vmid_reservation', 0))`;
}

/** The VMID that this operation or instance was given before, also when it has given it back since. */
export async function findReservation(
  tx: Tx,
  o: { operationId: string; instanceId: string },
): Promise<number | undefined> {
  const [row] = await tx<{ vmid: number }[]>`
    select vmid from vmid_reservation
    where operation_id = ${o.operationId} or instance_id = ${o.instanceId}`;
  return row?.vmid;
}

/** Keeps VMIDs that are taken at the host away from everybody until `freeAt`; what others hold here stays theirs. */
export async function markForeign(
  tx: Tx,
  o: { vmids: readonly number[]; ctype: string; operationId: string; freeAt: Date },
): Promise<void> {
  await tx`
    insert into vmid_reservation as r (vmid, state, ctype, free_at)
    select distinct vmid::int, 'foreign', ${o.ctype}, ${o.freeAt}::timestamptz
    from jsonb_array_elements_text(${tx.json(o.vmids)}::jsonb) as vmid
    on conflict (vmid) do update set
      state = 'foreign', instance_id = null, customer_id = null, operation_id = null,
      free_at = excluded.free_at, updated_at = now()
    where r.state in ('resting', 'foreign') or (r.state = 'reserved' and r.operation_id = ${o.operationId})`;
}

/** Takes the lowest VMID of the ranges that is free at `now`; undefined when there is none. */
export async function takeVmid(
  tx: Tx,
  o: Holder & { ranges: readonly VmidRange[]; now: Date },
): Promise<number | undefined> {
  const [row] = await tx<{ vmid: number }[]>`
    insert into vmid_reservation as r (vmid, state, ctype, instance_id, customer_id, operation_id)
    select free.vmid, 'reserved', ${o.ctype}, ${o.instanceId}, ${o.customerId}, ${o.operationId}
    from jsonb_to_recordset(${tx.json(o.ranges)}::jsonb) as range ("from" int, "to" int),
      generate_series(range."from", range."to") as free (vmid)
    where not exists (
      select from vmid_reservation held
      where held.vmid = free.vmid and (held.free_at is null or held.free_at > ${o.now}))
    order by free.vmid limit 1
    on conflict (vmid) do update set
      state = 'reserved', ctype = excluded.ctype, instance_id = excluded.instance_id,
      customer_id = excluded.customer_id, operation_id = excluded.operation_id,
      free_at = null, updated_at = now()
    returning vmid`;
  return row?.vmid;
}

/** Waits for whoever is changing the reservation of this instance, an activation above all, and keeps others from it. */
export async function lockReservation(tx: Tx, instanceId: string): Promise<void> {
  await tx`select from vmid_reservation where instance_id = ${instanceId} for update`;
}

/** Marks the reservation as used by a live server; false when the VMID is not reserved for exactly this one. */
export async function claimReservation(
  tx: Tx,
  o: { vmid: number; instanceId: string; customerId: string; ctype: string },
): Promise<boolean> {
  const rows = await tx`
    update vmid_reservation set state = 'used', updated_at = now()
    where vmid = ${o.vmid} and instance_id = ${o.instanceId} and customer_id = ${o.customerId}
      and ctype = ${o.ctype} and state = 'reserved'
    returning vmid`;
  return rows.length > 0;
}

/** Lets the VMID of an instance rest until `freeAt`; false when it has none. A second call changes nothing. */
export async function restVmid(tx: Tx, instanceId: string, freeAt: Date): Promise<boolean> {
  const rows = await tx`
    update vmid_reservation set
      state = 'resting', free_at = coalesce(free_at, ${freeAt}), updated_at = now()
    where instance_id = ${instanceId}
    returning vmid`;
  return rows.length > 0;
}
