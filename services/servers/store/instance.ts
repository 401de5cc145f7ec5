import type { z } from "zod";
import type { Tx } from "#shared/db/connect.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import type { Instance } from "../contract.ts";
import type { Held } from "./lock.ts";
import { touched } from "./touched.ts";

/** The recorded facts of a live server: exactly what events carry. */
export type InstanceRecord = z.output<typeof Instance>;
export type Desired = InstanceRecord["desired"];

/** Columns of an {@link InstanceRecord}, of the table or alias in the statement that has them. */
export const instanceColumns = (tx: Tx) => tx`
  instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
  desired, host_desired, removing_at is not null as removing, payload, version`;

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
  o: Omit<InstanceRecord, "desired" | "hostDesired" | "removing" | "version"> & {
    agent: AgentAccess;
    operationId: string;
  },
): Promise<InstanceRecord> {
  const { agent, payload, ...columns } = o;
  const row = { ...columns, agentAddress: agent.address, agentToken: agent.token, payload: tx.json(payload) };
  const [inserted] = await tx<[InstanceRecord]>`
    insert into container_instance ${tx(row)} returning ${instanceColumns(tx)}`;
  touched(tx, o.instanceId);
  return inserted;
}

/** Begins a teardown: writes the archive's row, once, and marks the live one; undefined when there is none. */
export async function beginRemoval(
  tx: Tx,
  o: { instanceId: string; operationId: string; reason: string; at: Date },
): Promise<{ instance: InstanceRecord; begun: boolean } | undefined> {
  const before = await lockInstance(tx, o.instanceId);
  if (!before) return undefined;
  const [instance] = await tx<[InstanceRecord]>`
    update container_instance set
      removing_at = coalesce(removing_at, ${o.at}), removing_by = ${o.operationId},
      version = version + ${before.removing ? 0 : 1}, updated_at = now()
    where instance_id = ${o.instanceId}
    returning ${instanceColumns(tx)}`;
  await copyToArchive(tx, o);
  touched(tx, o.instanceId);
  return { instance, begun: !before.removing };
}

/** Moves the row to the archive; undefined when there is no live row. The version grows once more. */
export async function archiveInstance(
  tx: Tx,
  o: { instanceId: string; operationId: string; reason: string; at: Date },
): Promise<InstanceRecord | undefined> {
  await copyToArchive(tx, o);
  const gone = await tx`delete from container_instance where instance_id = ${o.instanceId} returning version`;
  if (gone.length === 0) return undefined;
  touched(tx, o.instanceId);
  const [row] = await tx<InstanceRecord[]>`
    update deleted_instance set version = ${gone[0]?.["version"]}::int + 1, updated_at = now()
    where instance_id = ${o.instanceId}
    returning ${archivedColumns(tx)}`;
  return row;
}

async function copyToArchive(
  tx: Tx,
  o: { instanceId: string; operationId: string; reason: string; at: Date },
): Promise<void> {
  await tx`
    insert into deleted_instance (
      instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
      desired, host_desired, payload, version, reason, operation_id, created_at, deleted_at)
    select instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
      desired, host_desired, payload, version, ${o.reason}, ${o.operationId}, created_at, ${o.at}
    from container_instance where instance_id = ${o.instanceId}
    on conflict (instance_id) do nothing`;
}

/** Columns of an {@link InstanceRecord} that the archive has. */
const archivedColumns = (tx: Tx) => tx`
  instance_id, vmid, customer_id, ctype, name, hostname, node, ip, engine_type, engine_version,
  desired, host_desired, true as removing, payload, version`;

export async function findArchived(tx: Tx, instanceId: string): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    select ${archivedColumns(tx)} from deleted_instance where instance_id = ${instanceId}`;
  return row;
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
  touched(tx, o.instanceId);
  return row;
}

/**
 * Compare-and-set of what the customer wants; undefined when it is not `from`, or when the lock is no longer held
 * under `fence`, so that who lost the lock cannot write.
 */
export async function setDesired(
  tx: Tx,
  o: Held & { from: Desired; to: Desired },
): Promise<InstanceRecord | undefined> {
  const [row] = await tx<InstanceRecord[]>`
    update container_instance set desired = ${o.to}, version = version + 1, updated_at = now()
    where instance_id = ${o.instanceId} and desired = ${o.from} and ${holds(tx, o)}
    returning ${instanceColumns(tx)}`;
  touched(tx, o.instanceId);
  return row;
}

/** Whether the container should run; undefined when the lock is no longer held under `fence`. */
export const setHostDesired = (tx: Tx, o: Held & { desired: Desired }) =>
  writeHeld(tx, o, tx`host_desired = ${o.desired}`, tx`host_desired is distinct from ${o.desired}`);

/** Where the container and its agent answer; undefined when the lock is no longer held under `fence`. */
export const setAddress = (tx: Tx, o: Held & { ip: string | null; agentAddress: string }) =>
  writeHeld(
    tx,
    o,
    tx`ip = ${o.ip}, agent_address = ${o.agentAddress}`,
    tx`(ip, agent_address) is distinct from (${o.ip}::text, ${o.agentAddress}::text)`,
  );

/** Writes `change` where `differs`, under the lock; whether it did. What holds already is not written again. */
async function writeHeld(
  tx: Tx,
  o: Held,
  change: ReturnType<Tx>,
  differs: ReturnType<Tx>,
): Promise<{ instance: InstanceRecord; changed: boolean } | undefined> {
  const [written] = await tx<InstanceRecord[]>`
    update container_instance set ${change}, version = version + 1, updated_at = now()
    where instance_id = ${o.instanceId} and ${holds(tx, o)} and ${differs}
    returning ${instanceColumns(tx)}`;
  touched(tx, o.instanceId);
  if (written) return { instance: written, changed: true };
  const [instance] = await tx<InstanceRecord[]>`
    select ${instanceColumns(tx)} from container_instance
    where instance_id = ${o.instanceId} and ${holds(tx, o)}`;
  return instance && { instance, changed: false };
}

const holds = (tx: Tx, o: Held) => tx`exists (
  select from operation_lock l
  where l.instance_id = ${o.instanceId} and l.operation_id = ${o.operationId} and l.fence = ${o.fence})`;

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
