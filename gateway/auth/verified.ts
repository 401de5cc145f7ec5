import type { Actor } from "#shared/contract/actor.ts";
import type { Clock } from "#shared/process/clock.ts";

/** Verified tokens, by their sha256: verification and the look at the session are the largest cost of a request. */
export type Verified = {
  get(token: string): Actor | undefined;
  /** To be taken before the session is read, and handed to `put` with what was read. */
  snapshot(): number;
  /** Keeps an actor until `until` (ms since the epoch), unless a session ended since the snapshot. */
  put(token: string, sessionId: string, actor: Actor, until: number, snapshot: number): void;
  /** Every token of the session has to be verified anew, from now on. */
  forget(sessionId: string): void;
  size(): number;
};

type Entry = { actor: Actor; sessionId: string; until: number };

/** `maxMs`: no entry is older. `maxEntries`: beyond it, the one that was not used for longest goes. */
export function verifiedTokens(o: { clock: Clock; maxMs: number; maxEntries: number }): Verified {
  const entries = new Map<string, Entry>();
  // Counts the sessions that ended. A session may be read, end, and only then be put here: that must not revive it.
  let ended = 0;
  return {
    get(token) {
      const key = sha256(token);
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      if (entry.until <= o.clock.now()) return undefined;
      entries.set(key, entry); // last in the order of use
      return entry.actor;
    },
    snapshot: () => ended,
    put(token, sessionId, actor, until, snapshot) {
      if (snapshot !== ended) return;
      entries.set(sha256(token), { actor, sessionId, until: Math.min(until, o.clock.now() + o.maxMs) });
      if (entries.size <= o.maxEntries) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    },
    forget(sessionId) {
      ended++;
      for (const [key, entry] of entries) if (entry.sessionId === sessionId) entries.delete(key);
    },
    size: () => entries.size,
  };
}

const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("base64");
