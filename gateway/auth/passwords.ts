import { coreFault } from "#shared/fault/core.ts";

export type Passwords = {
  /** The argon2id hash of a new password, with its parameters and salt. */
  hash(password: string, signal: AbortSignal): Promise<string>;
  /** Whether the password is the one behind `hash`. Without a hash: false, after the same work. */
  matches(password: string, hash: string | undefined, signal: AbortSignal): Promise<boolean>;
};

export type PasswordOptions = {
  memoryKiB?: number;
  passes?: number;
  /** Hashes at a time. One takes `memoryKiB` and a core: many sign-ins must leave both for the rest. */
  concurrency?: number;
  /** Callers that wait for their turn; those beyond get `service.unavailable` at once. */
  waiting?: number;
};

/** The defaults take about 30 ms and 19 MiB per hash (OWASP's first recommendation for argon2id). */
export async function createPasswords(o: PasswordOptions = {}): Promise<Passwords> {
  const { memoryKiB = 19_456, passes = 2, concurrency = 2, waiting = 64 } = o;
  const turn = turns(concurrency, waiting);
  const parameters = { algorithm: "argon2id", memoryCost: memoryKiB, timeCost: passes } as const;
  // For names that no account has: found or not, an answer takes one verification of the same cost.
  const nobody = await Bun.password.hash(crypto.randomUUID(), parameters);
  return {
    hash: (password, signal) => turn(signal, () => Bun.password.hash(password, parameters)),
    async matches(password, hash, signal) {
      const same = await turn(signal, () => Bun.password.verify(password, hash ?? nobody));
      return hash !== undefined && same;
    },
  };
}

/** Runs at most `width` at a time, in the order of arrival; who gives up while waiting is never run. */
function turns(width: number, waiting: number) {
  let running = 0;
  const queue = new Set<() => void>();

  const enter = (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) throw coreFault("service.timeout", {}, { cause: signal.reason });
    if (running < width) {
      running++;
      return Promise.resolve();
    }
    if (queue.size >= waiting) throw coreFault("service.unavailable", { retryAfter: 1 });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      queue.delete(go);
      reject(coreFault("service.timeout", {}, { cause: signal.reason }));
    };
    const go = () => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    queue.add(go);
    return promise;
  };

  const leave = () => {
    for (const next of queue) {
      queue.delete(next);
      return next(); // the place is handed on, not given back
    }
    running--;
  };

  return async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    await enter(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
