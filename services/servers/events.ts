import type { Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { servers } from "./contract.ts";
import type { InstanceRecord } from "./store.ts";

/** Records, in the transaction of the change, that a live server's facts are now these. */
export async function emitChanged(tx: Tx, instance: InstanceRecord): Promise<void> {
  const { instanceId: key, version } = instance;
  await emit(tx, servers.events.instanceChanged, { key, version, data: instance });
}

export async function emitArchived(tx: Tx, instance: InstanceRecord): Promise<void> {
  const { instanceId: key, version } = instance;
  await emit(tx, servers.events.instanceArchived, { key, version, data: instance });
}
