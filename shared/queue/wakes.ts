/**
 * Carries "there is work in this queue" between processes. A wake may be lost, doubled or late: the sweep finds the
 * work anyway, so nothing but latency depends on it.
 */
export type WakeBus = {
  notify(queue: string): void;
  /** Returns the function that ends the subscription. */
  subscribe(queue: string, wake: () => void): () => void;
};

const listeners = new Map<string, Set<() => void>>();

/** Calls `wake` whenever work of `queue` was committed by this process, until the returned function is called. */
export function onLocalWork(queue: string, wake: () => void): () => void {
  const set = listeners.get(queue) ?? new Set();
  listeners.set(queue, set.add(wake));
  return () => {
    set.delete(wake);
    if (set.size === 0 && listeners.get(queue) === set) listeners.delete(queue);
  };
}

export function wakeLocally(queue: string): void {
  for (const wake of listeners.get(queue) ?? []) wake();
}
