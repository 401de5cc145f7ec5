import type { Clock } from "#shared/process/clock.ts";

export type Watchdog = {
  /** Something moved: the wait begins anew. */
  touch(): void;
  stop(): void;
};

/** Calls `late` once when there was no `touch` for `limitMs` milliseconds. Costs one sleeper, not a timer per touch. */
export function watchdog(clock: Clock, limitMs: number, late: () => void): Watchdog {
  const stopped = new AbortController();
  let last = clock.now();
  const watch = async () => {
    while (!stopped.signal.aborted) {
      const left = last + limitMs - clock.now();
      if (left <= 0) return late();
      await clock.sleep(left, stopped.signal);
    }
  };
  void watch();
  return {
    touch() {
      last = clock.now();
    },
    stop: () => stopped.abort(),
  };
}
