import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";

export type ReconcilerOptions = {
  /** Names the loop in log lines. */
  name: string;
  /** Every key that may need work; asked at the start and every `resyncMs`. */
  list(): Promise<string[]>;
  /**
   * Compares desired with actual for one key and moves towards desired. It reads both itself, since a wake carries
   * nothing but the key. `{ again }` asks for another look after that many milliseconds, or `resyncMs` if that is less:
   * also a key that waits may miss the wake that would have told it more.
   */
  reconcile(key: string, signal: AbortSignal): Promise<void | { again: number }>;
  resyncMs: number;
  /** Keys that are worked on at the same time. */
  concurrency: number;
  /** Milliseconds to wait after failure 1, 2, 3 … of a key; never more than `resyncMs`. */
  backoffMs(attempt: number): number;
  clock: Clock;
  log: Logger;
};
export type Reconciler = {
  /** Says that `key` may have changed. Any number of wakes during a run cause exactly one more run. */
  wake(key: string): void;
  /** Aborts the signal of what runs, waits for it, and ends. */
  stop(): Promise<void>;
};

/** What is known about one key while it is running, ready, or waiting for its time. */
type Entry = { running: boolean; ready: boolean; dirty: boolean; failures: number; timer?: AbortController };

/**
 * Level-triggered: a lost wake costs time, never correctness, for the resync finds every key again. Ready keys are
 * taken in turn, so a key that is woken or fails all the time cannot keep the others from theirs. A wake that comes while
 * a key backs off is news and runs it at once; the resync is no news and does not.
 */
export function startReconciler(o: ReconcilerOptions): Reconciler {
  const { name, clock, log, resyncMs } = o;
  const entries = new Map<string, Entry>();
  const ready: string[] = [];
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  function entryOf(key: string): Entry {
    const entry = entries.get(key) ?? { running: false, ready: false, dirty: false, failures: 0 };
    entries.set(key, entry);
    return entry;
  }

  function wake(key: string): void {
    if (stopping.signal.aborted) return;
    const entry = entryOf(key);
    entry.timer?.abort();
    delete entry.timer;
    if (entry.running) entry.dirty = true;
    else if (!entry.ready) {
      entry.ready = true;
      ready.push(key);
      fill();
    }
  }

  function fill(): void {
    while (running.size < o.concurrency && !stopping.signal.aborted) {
      const key = ready.shift();
      if (key === undefined) return;
      const end: Promise<void> = run(key, entryOf(key)).finally(() => {
        running.delete(end);
        fill();
      });
      running.add(end);
    }
  }

  async function run(key: string, entry: Entry): Promise<void> {
    Object.assign(entry, { running: true, ready: false, dirty: false });
    let waitMs: number | undefined;
    try {
      waitMs = (await o.reconcile(key, stopping.signal))?.again;
      entry.failures = 0;
    } catch (error) {
      waitMs = o.backoffMs(++entry.failures);
      if (!stopping.signal.aborted)
        log.warn({ err: error, name, key, failures: entry.failures }, "reconcile failed");
    }
    entry.running = false;
    // A failed run waits even if it was woken meanwhile, maybe by its own doing: else it would spin.
    if (entry.dirty && entry.failures === 0) wake(key);
    else if (waitMs === undefined) entries.delete(key);
    else wakeLater(key, entry, Math.min(resyncMs, waitMs));
  }

  function wakeLater(key: string, entry: Entry, ms: number): void {
    const timer = new AbortController();
    entry.timer = timer;
    const end = () => timer.abort();
    stopping.signal.addEventListener("abort", end, { once: true });
    void clock.sleep(ms, timer.signal).then(() => {
      stopping.signal.removeEventListener("abort", end);
      if (!timer.signal.aborted) wake(key);
    });
  }

  async function resync(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for (const key of await o.list()) if (!entries.get(key)?.timer) wake(key);
      } catch (error) {
        log.warn({ err: error, name }, "the keys to reconcile cannot be listed");
      }
      await clock.sleep(resyncMs, stopping.signal);
    }
  }

  const resyncing = resync();
  return {
    wake,
    async stop() {
      stopping.abort();
      await resyncing;
      await Promise.all(running);
    },
  };
}
