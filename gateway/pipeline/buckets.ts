import type { Clock } from "#shared/process/clock.ts";

/** At most `count` at once, and one more every `perMs / count` milliseconds. */
export type Rate = { count: number; perMs: number };

export type Buckets = {
  /** Takes one of a key's; 0, or the milliseconds until there is one again, and then nothing was taken. */
  take(key: string): number;
  /** What was taken last shall not count. */
  giveBack(key: string): void;
  size(): number;
};

/**
 * A token bucket per key, kept as the one moment at which it is full again (the generic cell rate algorithm). At most
 * `maxKeys` are remembered: beyond them the key that was not seen for longest begins anew, so that memory is bounded
 * whoever asks, and whoever wants to be forgotten needs as many keys as that.
 */
export function buckets({ rate, maxKeys, clock }: { rate: Rate; maxKeys: number; clock: Clock }): Buckets {
  const everyMs = rate.perMs / rate.count;
  const fullAt = new Map<string, number>();
  const store = (key: string, at: number) => {
    fullAt.delete(key);
    fullAt.set(key, at); // last in the order of use
    if (fullAt.size <= maxKeys) return;
    for (const oldest of fullAt.keys()) {
      fullAt.delete(oldest);
      break;
    }
  };
  return {
    take(key) {
      const now = clock.now();
      const after = Math.max(fullAt.get(key) ?? now, now) + everyMs;
      // A fraction of a millisecond is rounding, not a request too many.
      const wait = Math.floor(after - now - rate.perMs);
      store(key, wait > 0 ? after - everyMs : after);
      return Math.max(wait, 0);
    },
    giveBack(key) {
      const at = fullAt.get(key);
      if (at !== undefined) fullAt.set(key, at - everyMs);
    },
    size: () => fullAt.size,
  };
}
