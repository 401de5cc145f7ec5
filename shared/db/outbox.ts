import type { z } from "zod";
import type { EventDef } from "#shared/contract/define.ts";
import { newId } from "#shared/ids/ids.ts";
import type { Tx } from "./connect.ts";
import { afterCommit, dbOf } from "./tx.ts";
import { wakeRelays } from "./wakeups.ts";

export { type OutboxStats, outboxStats } from "./relay-store.ts";
export { type Publisher, type Relay, startRelay } from "./relay.ts";

/**
 * Records that something happened, in the transaction in which it happened: published if, and only if, that commits.
 * Returns the event's id. Throws when `data` does not match the event, or `key` is no single token of a subject.
 *
 * @param e.version of the key's public state, growing with each change; consumers keep the highest.
 */
export async function emit<E extends EventDef>(
  tx: Tx,
  event: E,
  e: { key: string; version: number; data: z.input<E["data"]> },
): Promise<string> {
  if (!/^[A-Za-z0-9_-]+$/.test(e.key)) throw new Error(`not a key for ${event.subject}: ${e.key}`);
  if (!Number.isSafeInteger(e.version)) throw new Error(`not a version: ${e.version}`);
  const id = newId("evt");
  const payload = tx.json(event.data.parse(e.data));
  const subject = `${event.subject}.${e.key}`;
  await tx`
    insert into outbox (id, subject, key, version, payload)
    values (${id}, ${subject}, ${e.key}, ${e.version}, ${payload})`;
  const db = dbOf(tx);
  afterCommit(tx, () => wakeRelays(db));
  return id;
}
