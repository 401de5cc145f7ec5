import type { Clock } from "#shared/process/clock.ts";

export type ManualClock = Clock & {
  /** Moves time by `ms` and wakes, in order of their due time, every sleeper that has become due. */
  advance(ms: number): Promise<void>;
  /** How many callers sleep now. */
  sleepers(): number;
};

type Sleeper = { due: number; wake: () => void };

/** A clock that stands still until it is told to move. `start` is in milliseconds since the epoch. */
export function manualClock(start = Date.UTC(2030, 0, 1)): ManualClock {
  let now = start;
  const sleeping = new Set<Sleeper>();
  return {
    now: () => now,
    sleepers: () => sleeping.size,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || ms <= 0) return resolve();
        const sleeper: Sleeper = {
          due: now + ms,
          wake: () => {
            sleeping.delete(sleeper);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        sleeping.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      }),
    async advance(ms) {
      const target = now + ms;
      for (;;) {
        const next = [...sleeping].filter((s) => s.due <= target).toSorted((a, b) => a.due - b.due)[0];
        if (!next) break;
        now = Math.max(now, next.due);
        next.wake();
        // A sleeper that wakes may go to sleep again within the same span: let it run first.
        await new Promise((resolve) => setImmediate(resolve));
      }
      now = target;
    },
  };
}
