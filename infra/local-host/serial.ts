export type Serial<K> = <T>(key: K, fn: () => Promise<T>) => Promise<T>;

/** Runs at most one function per key at a time, in the order of arrival; different keys run side by side. */
export function serialByKey<K>(): Serial<K> {
  const tails = new Map<K, Promise<unknown>>();
  return async (key, fn) => {
    const before = tails.get(key) ?? Promise.resolve();
    const run = before.then(fn, fn);
    tails.set(key, run);
    try {
      return await run;
    } finally {
      if (tails.get(key) === run) tails.delete(key);
    }
  };
}
