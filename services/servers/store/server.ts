import type { Db, Tx } from "#shared/db/connect.ts";
import { single } from "#shared/db/tx.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import type { AccountState } from "#services/billing/contract.ts";
import { type InstanceRecord, instanceColumns } from "./instance.ts";
import { isAlive, type LockLife } from "./lock.ts";

/** What holds a server's lock at the moment. */
export type LockRecord = {
  operationId: string;
  type: string;
  phase: string | null;
  message: string | null;
  lockedAt: Date;
};

/** A live server with the axes that Postgres keeps; what is observed lives in memory. */
export type ServerRecord = InstanceRecord & {
  lock: LockRecord | null;
  /** Null until billing has said something about the account. */
  billing: Pick<AccountState, "billingStatus" | "serverBillingState"> | null;
};

type Row = InstanceRecord & {
  lockOperationId: string | null;
  lockType: string;
  lockPhase: string | null;
  lockMessage: string | null;
  lockLockedAt: Date;
  billingStatus: AccountState["billingStatus"] | null;
  serverBillingState: AccountState["serverBillingState"];
};

// Of the joined tables only the keys are ambiguous, and the subselect keeps them apart.
const select = (tx: Tx, life: LockLife) => tx`
  select i.*, b.billing_status, b.server_billing_state,
    l.operation_id as lock_operation_id, l.type as lock_type, l.phase as lock_phase,
    l.message as lock_message, l.locked_at as lock_locked_at
  from (select ${instanceColumns(tx)} from container_instance) i
  left join account_billing b on b.account_id = i.customer_id
  left join operation_lock l on l.instance_id = i.instance_id and ${isAlive(tx, life)}`;

/** A lock without a sign of life for as long as `life` says counts as nobody's. */
export async function readServer(
  tx: Tx,
  instanceId: string,
  life: LockLife,
): Promise<ServerRecord | undefined> {
  const rows = await tx<Row[]>`${select(tx, life)} where i.instance_id = ${instanceId}`;
  return rows.map(toServer)[0];
}

/** As {@link readServer}, by either name, and how its agent is reached; in one round trip. */
export async function readKnown(
  db: Db,
  key: { vmid: number } | { instanceId: string },
  life: LockLife,
): Promise<{ server: ServerRecord; agent: AgentAccess } | undefined> {
  const [row] = await single(db, (tx) => {
    const which = "vmid" in key ? tx`i.vmid = ${key.vmid}` : tx`i.instance_id = ${key.instanceId}`;
    return tx<(Row & { address: string; token: string })[]>`
      with known as (${select(tx, life)} where ${which})
      select known.*, c.agent_address as address, c.agent_token as token
      from known join container_instance c using (instance_id)`;
  });
  if (!row) return undefined;
  const { address, token, ...rest } = row;
  return { server: toServer(rest), agent: { address, token } };
}

/** The servers of one account, by their numbers; in one round trip. */
export async function readServersOf(db: Db, customerId: string, life: LockLife): Promise<ServerRecord[]> {
  const rows = await single(
    db,
    (tx) => tx<Row[]>`
      ${select(tx, life)} where i.customer_id = ${customerId} order by i.vmid`,
  );
  return rows.map(toServer);
}

function toServer(row: Row): ServerRecord {
  const { lockOperationId, lockType, lockPhase, lockMessage, lockLockedAt, ...rest } = row;
  const { billingStatus, serverBillingState, ...instance } = rest;
  return {
    ...instance,
    lock:
      lockOperationId === null
        ? null
        : {
            operationId: lockOperationId,
            type: lockType,
            phase: lockPhase,
            message: lockMessage,
            lockedAt: lockLockedAt,
          },
    billing: billingStatus === null ? null : { billingStatus, serverBillingState },
  };
}
