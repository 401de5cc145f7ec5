import type { Actor } from "#shared/contract/actor.ts";
import type { Db, Tx } from "#shared/db/connect.ts";
import { afterCommit, withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId } from "#shared/ids/ids.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { holderOfKey, isKey } from "./keys.ts";
import { hashOf, newSecret, secretShape } from "./secrets.ts";
import type { Role } from "./store/accounts.ts";
import * as store from "./store/sessions.ts";
import { type Issued, maxTokenLength, type Tokens } from "./tokens.ts";
import { type Ended, type Holder, verifiedCredentials } from "./verified.ts";

/** An access token, and the refresh token that belongs in the cookie and nowhere else. */
export type Opened = { issued: Issued; refresh: string };

export type Sessions = {
  /**
   * A new session of an account, which is new itself or locked by this transaction. Where it has as many as it may, the
   * one that was used longest ago ends: `displaced`.
   */
  open(
    tx: Tx,
    account: { id: string; role: Role },
    address: string | undefined,
  ): Promise<Opened & { displaced: string[] }>;
  /** Rejects with `auth.invalid_token` when the session is over, whatever is still remembered of it. */
  checkAlive(tx: Tx, sessionId: string): Promise<void>;
  /**
   * Trades a refresh token for the next one and a new access token; the session lives on from now. One that was used
   * before is in two hands: its session ends, with all tokens that descend from it. Undefined: not one of ours any more.
   */
  refresh(
    tx: Tx,
    value: string | undefined,
  ): Promise<Opened | { reused: { accountId: string; sessionId: string } } | undefined>;
  /** Ends a session; its tokens are refused here as soon as the transaction has committed. */
  end(tx: Tx, sessionId: string): Promise<void>;
  /** Ends a session of this account; false when it has none of that id. */
  endOwn(tx: Tx, sessionId: string, accountId: string): Promise<boolean>;
  /** Ends the session of a refresh token; undefined when there is none that is alive. */
  endOf(tx: Tx, value: string | undefined): Promise<{ id: string; accountId: string } | undefined>;
  /** Ends every session of an account, or all but one. */
  endAll(tx: Tx, accountId: string, except?: string): Promise<void>;
  /** Has an API key verified anew once the transaction has committed. */
  revoked(tx: Tx, keyId: string): void;
  /** Drops what is remembered of tokens and keys that another gateway ended. */
  forget(ended: Ended): void;
  /**
   * On whose behalf the holder of an access token or API key acts, from `address`: the role is the account's present
   * one, whatever the token says. Rejects with `auth.invalid_token`, `auth.session_outdated`, `guard.ip_denied` for a
   * key that is bound to other addresses, or `service.unavailable` without the database.
   */
  actorOf(credential: string, address: string): Promise<Actor>;
};

export type SessionOptions = {
  db: Db;
  tokens: Tokens;
  clock: Clock;
  log: Logger;
  /** Tells the other gateways what ended; at most once, so `cacheMs` bounds what a lost one costs. */
  announce: (ended: Ended) => void;
  /** Lifetime of a session, and of its refresh token, since it was last refreshed. */
  ttlMs?: number;
  /** How long a credential is believed without a look at its session or key. */
  cacheMs?: number;
  cacheEntries?: number;
  /** Living sessions that an account may have. */
  maxPerAccount?: number;
  /** How long a request waits for the database to tell whether the session still is. */
  lookupMs?: number;
};

export function createSessions(o: SessionOptions): Sessions {
  const { db, tokens, clock, log } = o;
  const { ttlMs = 30 * 86_400_000, cacheMs = 30_000, cacheEntries = 10_000, lookupMs = 3_000 } = o;
  const { maxPerAccount: max = 50 } = o;
  const verified = verifiedCredentials({ clock, maxMs: cacheMs, maxEntries: cacheEntries });
  const now = () => new Date(clock.now());
  const expiry = () => new Date(clock.now() + ttlMs);

  const over = (tx: Tx, ended: Ended) =>
    afterCommit(tx, () => {
      verified.forget(ended);
      o.announce(ended);
    });

  const handOut = async (tx: Tx, account: { id: string; role: Role }, sessionId: string) => {
    const refresh = newSecret();
    await store.insertRefreshToken(tx, { hash: hashOf(refresh), sessionId, expiresAt: expiry() });
    return { issued: await tokens.issue(account, sessionId), refresh };
  };

  const end = async (tx: Tx, sessionId: string) => {
    await store.endSession(tx, sessionId, now());
    over(tx, { via: sessionId });
  };

  const holderOfToken = async (token: string): Promise<{ holder: Holder; until: number }> => {
    const { accountId, sessionId, expiresAt } = await tokens.verify(token);
    const session = await withTx(db, (tx) => store.readSession(tx, sessionId, now()), {
      readOnly: true,
      timeoutMs: lookupMs,
    });
    if (session?.accountId !== accountId) throw coreFault("auth.invalid_token");
    const actor = { kind: "account", id: accountId, role: session.role, via: sessionId } as const;
    return { holder: { actor }, until: Math.min(expiresAt, session.expiresAt.getTime()) };
  };

  const holderOf = async (credential: string, address: string): Promise<Holder> => {
    if (credential.length > maxTokenLength) throw coreFault("auth.invalid_token");
    const known = verified.get(credential);
    if (known) return known;
    const snapshot = verified.snapshot();
    const { holder, until } = isKey(credential)
      ? await holderOfKey(db, credential, { address, now: clock.now(), timeoutMs: lookupMs })
      : await holderOfToken(credential);
    verified.put(credential, holder, until, snapshot);
    return holder;
  };

  return {
    async open(tx, account, address) {
      const id = newId("ses");
      const { generation } = tokens;
      const { id: accountId } = account;
      await store.insertSession(tx, { id, accountId, address, generation, expiresAt: expiry() });
      const displaced = await store.endSessionsBeyond(tx, { accountId, newest: id, max, now: now() });
      for (const via of displaced) over(tx, { via });
      return { ...(await handOut(tx, account, id)), displaced };
    },

    async checkAlive(tx, sessionId) {
      if (!(await store.readSession(tx, sessionId, now()))) throw coreFault("auth.invalid_token");
    },

    async refresh(tx, value) {
      if (value === undefined || !secretShape.test(value)) return undefined;
      const hash = hashOf(value);
      const token = await store.lockRefreshToken(tx, hash, { now: now(), generation: tokens.generation });
      if (!token) return undefined;
      const { accountId, sessionId, role, used } = token;
      if (used) {
        await end(tx, sessionId);
        return { reused: { accountId, sessionId } };
      }
      await store.useRefreshToken(tx, { hash, sessionId, now: now(), expiresAt: expiry() });
      return await handOut(tx, { id: accountId, role }, sessionId);
    },

    end,

    async endOwn(tx, sessionId, accountId) {
      const ended = await store.endOwnSession(tx, sessionId, accountId, now());
      if (ended) over(tx, { via: sessionId });
      return ended;
    },

    async endOf(tx, value) {
      if (value === undefined || !secretShape.test(value)) return undefined;
      const ended = await store.endSessionOf(tx, hashOf(value), now());
      if (ended) over(tx, { via: ended.id });
      return ended;
    },

    async endAll(tx, accountId, except) {
      await store.endSessions(tx, accountId, now(), except);
      over(tx, { accountId });
    },

    revoked: (tx, keyId) => over(tx, { via: keyId }),

    forget: (ended) => verified.forget(ended),

    async actorOf(credential, address) {
      const { actor, admits } = await holderOf(credential, address);
      if (admits?.(address) === false) {
        log.warn({ key: actor.via, account: actor.id, address }, "an API key was used from elsewhere");
        throw coreFault("guard.ip_denied");
      }
      return actor;
    },
  };
}
