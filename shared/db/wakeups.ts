import type { Db } from "./connect.ts";

const sleepers = new WeakMap<Db, Set<() => void>>();

/** Has `wake` called after each commit that wrote to the outbox through this `db`; returns the way to end that. */
export function onEmit(db: Db, wake: () => void): () => void {
  const known = sleepers.get(db) ?? new Set();
  sleepers.set(db, known.add(wake));
  return () => known.delete(wake);
}

/** Wakes the relays of this process; those of others find the rows at their next sweep. */
export function wakeRelays(db: Db): void {
  for (const wake of sleepers.get(db) ?? []) wake();
}
