import type { Tx } from "#shared/db/connect.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import type { ServerBillingState } from "#services/billing/contract.ts";
import { type LockLife, takeLock } from "./lock.ts";
import { touched } from "./touched.ts";

export type Question = {
  server: { vmid: number } | { instanceId: string };
  /** Only servers of this account; null: of any. */
  owner: string | null;
  /** Billing states in which the action is open. */
  openIn: readonly ServerBillingState[];
  /** Whether it is open while nothing is known about the account. */
  openToUnknown: boolean;
  lock: { operationId: string; type: string; life: LockLife } | null;
};

export type Finding = {
  instanceId: string;
  vmid: number;
  customerId: string;
  ctype: "game" | "dev";
  name: string;
  hostname: string;
  node: string;
  /** Null for what is in the archive: nobody answers there any more. */
  agent: AgentAccess | null;
  open: boolean;
  /** Null: nothing is known about the account. */
  billing: { state: ServerBillingState; since: Date } | null;
  /** Of the lock that was taken; null when it was not asked for, or not to be had. */
  fence: number | null;
  /** Its teardown, once that has begun. */
  removal: { operationId: string; since: Date } | null;
};

type Row = Omit<Finding, "agent" | "billing" | "removal"> & {
  agentAddress: string | null;
  agentToken: string | null;
  removingAt: Date | null;
  removingBy: string | null;
  serverBillingState: ServerBillingState | null;
  since: Date;
};

/**
 * Everything that `authorize` decides, in one statement: which server, whether the gate is open, and the lock, which is
 * taken only when it is. Undefined when there is no such server, or not for this account. A deletion also finds what is
 * in the archive and has not given its number back: so a teardown that failed can go on.
 */
export async function findAndLock(tx: Tx, q: Question): Promise<Finding | undefined> {
  const which =
    "vmid" in q.server ? tx`i.vmid = ${q.server.vmid}` : tx`i.instance_id = ${q.server.instanceId}`;
  const { lock } = q;
  const deletes = lock?.type === "server.delete";
  const facts = tx`i.instance_id, i.vmid, i.customer_id, i.ctype, i.name, i.hostname, i.node`;
  const archived = tx`
    union all
    select ${facts}, null, null, i.deleted_at, i.operation_id
    from deleted_instance i join vmid_reservation r on r.instance_id = i.instance_id and r.state = 'used'
    where ${which} and not exists (select from container_instance live where live.instance_id = i.instance_id)`;
  const taken = lock
    ? takeLock(tx, tx`target where open and ${deletes ? tx`true` : tx`removing_at is null`}`, lock)
    : tx`select instance_id, null::bigint as fence from target where false`;
  const [row] = await tx<Row[]>`
    with found as (
      select ${facts}, i.agent_address, i.agent_token, i.removing_at, i.removing_by
      from container_instance i where ${which}
      ${deletes ? archived : tx``}
    ),
    target as (
      select found.*, b.server_billing_state, b.since,
        coalesce(${tx.json(q.openIn)}::jsonb ? b.server_billing_state, ${q.openToUnknown}::boolean) as open
      from found left join account_billing b on b.account_id = found.customer_id
      where ${q.owner}::text is null or found.customer_id = ${q.owner}
    ),
    taken as (${taken})
    select target.*, taken.fence from target left join taken using (instance_id)`;
  if (!row) return undefined;
  if (row.fence !== null) touched(tx, row.instanceId);
  const { agentAddress, agentToken, serverBillingState, since, removingAt, removingBy, ...found } = row;
  return {
    ...found,
    agent: agentAddress && agentToken ? { address: agentAddress, token: agentToken } : null,
    billing: serverBillingState === null ? null : { state: serverBillingState, since },
    removal: removingAt && removingBy ? { operationId: removingBy, since: removingAt } : null,
  };
}
