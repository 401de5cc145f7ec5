import type { z } from "zod";
import type { Tx } from "#shared/db/connect.ts";
import type { InventoryRow } from "../contract.ts";

/** The VMIDs after `after` that are not free at `now`, in order; a reservation is a row like any other. */
export function readInventory(
  tx: Tx,
  o: { after: number; limit: number; now: Date },
): Promise<z.output<typeof InventoryRow>[]> {
  return tx<z.output<typeof InventoryRow>[]>`
    select r.vmid, r.instance_id, r.customer_id, r.ctype,
      coalesce(i.node, d.node) as node, coalesce(i.hostname, d.hostname) as hostname,
      case
        when r.state <> 'used' then r.state
        when i.instance_id is null then 'archived'
        when i.removing_at is not null then 'removing'
        else 'live'
      end as state
    from vmid_reservation r
    left join container_instance i using (instance_id)
    left join deleted_instance d using (instance_id)
    where r.vmid > ${o.after} and (r.free_at is null or r.free_at > ${o.now})
    order by r.vmid limit ${o.limit}`;
}
