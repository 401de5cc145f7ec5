import type { Db, Tx } from "#shared/db/connect.ts";
import { afterEnd, dbOf } from "#shared/db/tx.ts";

/** What a transaction wrote about: one server, or everything of one account. */
export type Touched = { instanceId: string } | { customerId: string };

const listeners = new WeakMap<Db, Set<(what: Touched) => void>>();

/**
 * Every statement that writes what a {@link ServerRecord} shows calls this, so that no memory of it outlives the commit, be it confirmed or not:
 * the writers of a table are all in its file, and no verb can forget it.
 */
export function touched(tx: Tx, what: string | Touched): void {
  const db = dbOf(tx);
  const said = typeof what === "string" ? { instanceId: what } : what;
  afterEnd(tx, () => {
    for (const listener of listeners.get(db) ?? []) listener(said);
  });
}

/** Calls `listener` after each transaction that wrote about a server, or may have. Returns the function that ends it. */
export function onTouched(db: Db, listener: (what: Touched) => void): () => void {
  const all = listeners.get(db) ?? new Set();
  listeners.set(db, all.add(listener));
  return () => void all.delete(listener);
}
