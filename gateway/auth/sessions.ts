import type { Actor } from "#shared/contract/actor.ts";
import type { Db, Tx } from "#shared/db/connect.ts";
import { afterCommit, withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId } from "#shared/ids/ids.ts";
import type { Clock } from "#shared/process/clock.ts";
import { endSession, insertSession, readSession, removeExpiredSessions } from "./store.ts";
import { type Issued, maxTokenLength, type Tokens } from "./tokens.ts";
import { verifiedTokens } from "./verified.ts";

export type Sessions = {
  /** A new session of an account and its first token. */
  open(
    tx: Tx,
    account: { id: string; role: "customer" | "operator" },
    address: string | undefined,
  ): Promise<Issued>;
  /** Ends a session; its tokens are refused here as soon as the transaction has committed. */
  end(tx: Tx, sessionId: string): Promise<void>;
  /**
   * On whose behalf the holder of an access token acts: the role is the account's present one, whatever the token
   * says. Rejects with `auth.invalid_token`, `auth.session_outdated`, or `service.unavailable` without the database.
   */
  actorOf(token: string): Promise<Actor>;
};

export type SessionOptions = {
  db: Db;
  tokens: Tokens;
  clock: Clock;
  /** Lifetime of a session without regard to its tokens. */
  ttlMs?: number;
  /** How long a token is believed without a look at its session. */
  cacheMs?: number;
  cacheEntries?: number;
  /** How long a request waits for the database to tell whether the session still is. */
  lookupMs?: number;
};

export function createSessions(o: SessionOptions): Sessions {
  const { db, tokens, clock } = o;
  const { ttlMs = 30 * 86_400_000, cacheMs = 30_000, cacheEntries = 10_000, lookupMs = 3_000 } = o;
  const verified = verifiedTokens({ clock, maxMs: cacheMs, maxEntries: cacheEntries });

  return {
    async open(tx, account, address) {
      const id = newId("ses");
      const now = clock.now();
      // An account that signs in clears away its own past, so the table grows with accounts and not with time.
      await removeExpiredSessions(tx, account.id, new Date(now));
      await insertSession(tx, { id, accountId: account.id, address, expiresAt: new Date(now + ttlMs) });
      return await tokens.issue(account, id);
    },

    async end(tx, sessionId) {
      await endSession(tx, sessionId, new Date(clock.now()));
      afterCommit(tx, () => verified.forget(sessionId));
    },

    async actorOf(token) {
      if (token.length > maxTokenLength) throw coreFault("auth.invalid_token");
      const known = verified.get(token);
      if (known) return known;
      const { accountId, sessionId, expiresAt } = await tokens.verify(token);
      const snapshot = verified.snapshot();
      const session = await withTx(db, (tx) => readSession(tx, sessionId, new Date(clock.now())), {
        readOnly: true,
        timeoutMs: lookupMs,
      });
      if (session?.accountId !== accountId) throw coreFault("auth.invalid_token");
      const actor: Actor = { kind: "account", id: accountId, role: session.role, via: sessionId };
      verified.put(token, sessionId, actor, Math.min(expiresAt, session.expiresAt.getTime()), snapshot);
      return actor;
    },
  };
}
