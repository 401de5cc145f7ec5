import type { z } from "zod";
import type { Tx } from "#shared/db/connect.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import type { Instance } from "../contract.ts";

/** The recorded facts of a live server: exactly what events carry. */
export type InstanceRecord = z.output<typeof Instance>;
export type Desired = InstanceRecord["desired"];

/** Columns of an {@link InstanceRecord}, of the table or alias in the statement that has them. */
export const instanceColumns = (tx: Tx) => tx`
  instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
  desired, payload, version`;

export async function findInstance(tx: Tx, instanceId: string): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    select ${instanceColumns(tx)} from container_instance where instance_id = ${instanceId}`;
  return row;
}

/** As {@link findInstance}, and nobody else changes the row until the transaction ends. */
export async function lockInstance(tx: Tx, instanceId: string): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    select ${instanceColumns(tx)} from container_instance where instance_id = ${instanceId} for update`;
  return row;
}

export async function insertInstance(
  tx: Tx,
  o: Omit<InstanceRecord, "desired" | "version"> & { agent: AgentAccess; operationId: string },
): Promise<InstanceRecord> {
  const { agent, payload, ...columns } = o;
  const row = { ...columns, agentAddress: agent.address, agentToken: agent.token, payload: tx.json(payload) };
  const [inserted] = await tx<[InstanceRecord]>`
    insert into container_instance ${tx(row)} returning ${instanceColumns(tx)}`;
  return inserted;
}

/** Moves the row to the archive; undefined when there is no live row. The version grows once more. */
export async function archiveInstance(
  tx: Tx,
  o: { instanceId: string; operationId: string; reason: string; at: Date },
): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    with gone as (delete from container_instance where instance_id = ${o.instanceId} returning *)
    insert into deleted_instance (
      instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
      desired, payload, version, reason, operation_id, created_at, deleted_at)
    select instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
      desired, payload, version + 1, ${o.reason}, ${o.operationId}, created_at, ${o.at}
    from gone
    returning ${instanceColumns(tx)}`;
  return row;
}

export async function isArchived(tx: Tx, instanceId: string): Promise<boolean> {
  const rows = await tx`select from deleted_instance where instance_id = ${instanceId}`;
  return rows.length > 0;
}

/** When the event happened that wrote this key of the payload, if one did. */
export async function payloadWrittenAt(tx: Tx, instanceId: string, key: string): Promise<string | undefined> {
  const [row] = await tx<{ at: string | null }[]>`
    select payload_at ->> ${key} as at from container_instance where instance_id = ${instanceId}`;
  return row?.at ?? undefined;
}

/** Replaces one key of the payload and leaves all others alone; null takes the key away. */
export async function writePayload(
  tx: Tx,
  o: { instanceId: string; key: string; value: Record<string, unknown> | null; eventAt: string },
): Promise<InstanceRecord | undefined> {
  const changed = o.value
    ? tx`payload || jsonb_build_object(${o.key}::text, ${tx.json(o.value)}::jsonb)`
    : tx`payload - ${o.key}::text`;
  const [row] = await tx<InstanceRecord[]>`
    update container_instance set
      payload = ${changed},
      payload_at = payload_at || jsonb_build_object(${o.key}::text, ${o.eventAt}::text),
      version = version + 1,
      updated_at = now()
    where instance_id = ${o.instanceId}
    returning ${instanceColumns(tx)}`;
  return row;
}

/**
 * Compare-and-set of what the customer wants; undefined when it is not `from`, or when the lock is no longer held
 * under `fence`, so that who lost the lock cannot write.
 */
export async function setDesired(
  tx: Tx,
  o: { instanceId: string; operationId: string; fence: number; from: Desired; to: Desired },
): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    update container_instance set desired = ${o.to}, version = version + 1, updated_at = now()
    where instance_id = ${o.instanceId} and desired = ${o.from} and exists (
      select from operation_lock l
      where l.instance_id = ${o.instanceId} and l.operation_id = ${o.operationId} and l.fence = ${o.fence})
    returning ${instanceColumns(tx)}`;
  return row;
}

/** A server that the poller asks. */
export type Target = {
  instanceId: string;
  ctype: InstanceRecord["ctype"];
  agent: AgentAccess;
};

/** Every live server, or one of them. */
export async function readTargets(tx: Tx, instanceId?: string): Promise<Target[]> {
  const rows = await tx<{ instanceId: string; ctype: Target["ctype"]; address: string; token: string }[]>`
    select instance_id, ctype, agent_address as address, agent_token as token from container_instance
    ${instanceId === undefined ? tx`` : tx`where instance_id = ${instanceId}`}`;
  return rows.map(({ address, token, ...target }) => ({ ...target, agent: { address, token } }));
}

export async function instancesOf(tx: Tx, customerId: string): Promise<string[]> {
  const rows = await tx<{ instanceId: string }[]>`
    select instance_id from container_instance where customer_id = ${customerId}`;
  return rows.map((row) => row.instanceId);
}
