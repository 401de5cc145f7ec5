import type { Actor } from "#shared/contract/actor.ts";
import type { Clock } from "#shared/process/clock.ts";
import { hashOf } from "./secrets.ts";

export type Account = Extract<Actor, { kind: "account" }>;

/** Who presents a credential, and from where it is accepted. */
export type Holder = {
  actor: Account;
  /** Whether the credential may be used from this address; absent: from any. */
  admits?: (address: string) => boolean;
};

/** What is over: one session or key (`via`), or everything that an account has. */
export type Ended = { via?: string | undefined; accountId?: string | undefined };

/** Verified tokens and keys, by their sha256: verification and the look-up are the largest cost of a request. */
export type Verified = {
  get(credential: string): Holder | undefined;
  /** To be taken before the session or key is read, and handed to `put` with what was read. */
  snapshot(): number;
  /** Keeps a holder until `until` (ms since the epoch), unless something ended since the snapshot. */
  put(credential: string, holder: Holder, until: number, snapshot: number): void;
  /** Whatever belongs to it has to be verified anew, from now on. */
  forget(ended: Ended): void;
  size(): number;
};

type Entry = { holder: Holder; until: number };

/** `maxMs`: no entry is older. `maxEntries`: beyond it, the one that was not used for longest goes. */
export function verifiedCredentials(o: { clock: Clock; maxMs: number; maxEntries: number }): Verified {
  const entries = new Map<string, Entry>();
  // Counts what ended. A session may be read, end, and only then be put here: that must not revive it.
  let endings = 0;
  return {
    get(credential) {
      const key = hashOf(credential);
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      if (entry.until <= o.clock.now()) return undefined;
      entries.set(key, entry); // last in the order of use
      return entry.holder;
    },
    snapshot: () => endings,
    put(credential, holder, until, snapshot) {
      if (snapshot !== endings) return;
      entries.set(hashOf(credential), { holder, until: Math.min(until, o.clock.now() + o.maxMs) });
      if (entries.size <= o.maxEntries) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    },
    forget(ended) {
      endings++;
      for (const [key, { holder }] of entries) if (concerns(ended, holder.actor)) entries.delete(key);
    },
    size: () => entries.size,
  };
}

const concerns = ({ via, accountId }: Ended, actor: Account): boolean =>
  via === actor.via || accountId === actor.id;
