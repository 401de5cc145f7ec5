import type { z } from "zod";
import type { EventDef } from "#shared/contract/define.ts";
import { newId } from "#shared/ids/ids.ts";
import type { Db, Tx } from "./connect.ts";
import { afterCommit, dbOf } from "./tx.ts";

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
  afterCommit(tx, () => sleepers.get(db)?.forEach((wake) => wake()));
  return id;
}

const sleepers = new WeakMap<Db, Set<() => void>>();

/**
 * Has `wake` called after each commit that wrote to the outbox through this `db`; returns the way to end that. Relays of
 * other processes find the rows at their next sweep.
 */
export function onEmit(db: Db, wake: () => void): () => void {
  const known = sleepers.get(db) ?? new Set();
  sleepers.set(db, known.add(wake));
  return () => known.delete(wake);
}
