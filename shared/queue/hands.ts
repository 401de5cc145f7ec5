import type { Db } from "#shared/db/connect.ts";
import type { Job } from "./fence.ts";

/**
 * A free hand of a worker of this process, kept for a job that is asked for: it is written as the worker's own, and
 * begins when that has committed. It saves the look at the queue that would find it.
 */
export type Hand = {
  /** Names the worker. */
  holder: string;
  /** When the lease runs out; milliseconds since the epoch. */
  until: number;
  /** The job is committed, as the worker's. */
  begin(job: Job): void;
  /** It is not; with `doubt`, it may be. */
  drop(doubt: boolean): void;
};

/** A hand for a job with this key, if one is free and no other job waits for it. */
export type Offer = (key: string) => Hand | undefined;

const offers = new WeakMap<Db, Map<string, Set<Offer>>>();

/** Lets `enqueue` on this database ask `offer` for hands, until the returned function is called. */
export function offerHands(db: Db, queue: string, offer: Offer): () => void {
  const queues = offers.get(db) ?? new Map<string, Set<Offer>>();
  offers.set(db, queues);
  const set = queues.get(queue) ?? new Set();
  queues.set(queue, set.add(offer));
  return () => void set.delete(offer);
}

export function freeHand(db: Db, queue: string, key: string): Hand | undefined {
  for (const offer of offers.get(db)?.get(queue) ?? []) {
    const hand = offer(key);
    if (hand) return hand;
  }
  return undefined;
}
