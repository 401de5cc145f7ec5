import type { Tx } from "#shared/db/connect.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import { newId } from "#shared/ids/ids.ts";
import type { ServerBillingState } from "#services/billing/contract.ts";
import { takeLock } from "./lock.ts";

export type Question = {
  server: { vmid: number } | { instanceId: string };
  /** Only servers of this account; null: of any. */
  owner: string | null;
  /** Written down when the server is not the actor's own. */
  audit: { actor: string; via: string; action: string; address: string | null; requestId: string } | null;
  /** Billing states in which the action is open. */
  openIn: readonly ServerBillingState[];
  /** Whether it is open while nothing is known about the account. */
  openToUnknown: boolean;
  lock: { operationId: string; type: string; now: Date; aliveSince: Date } | null;
};

export type Finding = {
  instanceId: string;
  vmid: number;
  customerId: string;
  ctype: "game" | "dev";
  name: string;
  hostname: string;
  node: string;
  agent: AgentAccess;
  open: boolean;
  /** Null: nothing is known about the account. */
  billing: { state: ServerBillingState; since: Date } | null;
  /** Of the lock that was taken; null when it was not asked for, or not to be had. */
  fence: number | null;
  audited: boolean;
};

type Row = Omit<Finding, "agent" | "billing"> & {
  agentAddress: string;
  agentToken: string;
  serverBillingState: ServerBillingState | null;
  since: Date;
};

/**
 * Everything that `authorize` decides, in one statement: which server, whether the gate is open, and the lock, which is
 * taken only when it is. Undefined when there is no such server, or not for this account.
 */
export async function findAndLock(tx: Tx, q: Question): Promise<Finding | undefined> {
  const which =
    "vmid" in q.server ? tx`i.vmid = ${q.server.vmid}` : tx`i.instance_id = ${q.server.instanceId}`;
  const { audit, lock } = q;
  const noted = audit
    ? tx`insert into audit (id, actor, via, action, target, vmid, customer_id, address, request_id)
        select ${newId("aud")}, ${audit.actor}, ${audit.via}, ${audit.action}, instance_id, vmid, customer_id,
          ${audit.address}::text, ${audit.requestId} from target where customer_id <> ${audit.actor}
        returning target`
    : tx`select null::text as target from target where false`;
  const taken = lock
    ? takeLock(tx, tx`target where open`, lock)
    : tx`select instance_id, null::bigint as fence from target where false`;
  const [row] = await tx<Row[]>`
    with target as (
      select i.instance_id, i.vmid, i.customer_id, i.ctype, i.name, i.hostname, i.node,
        i.agent_address, i.agent_token, b.server_billing_state, b.since,
        coalesce(${tx.json(q.openIn)}::jsonb ? b.server_billing_state, ${q.openToUnknown}::boolean) as open
      from container_instance i left join account_billing b on b.account_id = i.customer_id
      where ${which} and (${q.owner}::text is null or i.customer_id = ${q.owner})
    ),
    noted as (${noted}),
    taken as (${taken})
    select target.*, taken.fence, noted.target is not null as audited
    from target left join taken using (instance_id) left join noted on true`;
  if (!row) return undefined;
  const { agentAddress, agentToken, serverBillingState, since, ...facts } = row;
  return {
    ...facts,
    agent: { address: agentAddress, token: agentToken },
    billing: serverBillingState === null ? null : { state: serverBillingState, since },
  };
}
