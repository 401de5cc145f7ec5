import type { Tx } from "#shared/db/connect.ts";
import type { Role } from "./accounts.ts";

export async function insertSession(
  tx: Tx,
  session: {
    id: string;
    accountId: string;
    address: string | undefined;
    generation: number;
    expiresAt: Date;
  },
): Promise<void> {
  await tx`insert into session ${tx({ ...session, address: session.address ?? null })}`;
}

export type Session = { accountId: string; role: Role; expiresAt: Date };

/** A session that is neither ended nor expired at `now`, with the present role of its account. */
export async function readSession(tx: Tx, id: string, now: Date): Promise<Session | undefined> {
  const [row] = await tx<Session[]>`
    select s.account_id, s.expires_at, a.role
    from session s join account a on a.id = s.account_id
    where s.id = ${id} and s.ended_at is null and s.expires_at > ${now}`;
  return row;
}

export async function endSession(tx: Tx, id: string, now: Date): Promise<void> {
  await tx`
    update session set ended_at = ${now}, updated_at = now() where id = ${id} and ended_at is null`;
}

/** Ends a session of this account; false when it has none of that id that is alive. */
export async function endOwnSession(tx: Tx, id: string, accountId: string, now: Date): Promise<boolean> {
  const rows = await tx`
    update session set ended_at = ${now}, updated_at = now()
    where id = ${id} and account_id = ${accountId} and ended_at is null and expires_at > ${now}
    returning id`;
  return rows.length === 1;
}

/** Ends the session that a refresh token, used or not, belongs to; undefined when it is over, or never was. */
export async function endSessionOf(
  tx: Tx,
  hash: string,
  now: Date,
): Promise<{ id: string; accountId: string } | undefined> {
  const [row] = await tx<{ id: string; accountId: string }[]>`
    update session set ended_at = ${now}, updated_at = now()
    where id = (select session_id from refresh_token where hash = ${hash}) and ended_at is null
    returning id, account_id`;
  return row;
}

/** Ends every session of the account but `except`. */
export async function endSessions(
  tx: Tx,
  accountId: string,
  now: Date,
  except: string | undefined,
): Promise<void> {
  await tx`
    update session set ended_at = ${now}, updated_at = now()
    where account_id = ${accountId} and ended_at is null and id <> ${except ?? ""}`;
}

/**
 * Ends all living sessions of the account but `newest` and those that were used last, `max` in all; answers which. With
 * the account locked, so that two at once do not both count the same.
 */
export async function endSessionsBeyond(
  tx: Tx,
  o: { accountId: string; newest: string; max: number; now: Date },
): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    update session set ended_at = ${o.now}, updated_at = now()
    where id in (
      select id from session
      where account_id = ${o.accountId} and ended_at is null and expires_at > ${o.now} and id <> ${o.newest}
      order by updated_at desc, id desc offset ${o.max - 1})
    returning id`;
  return rows.map(({ id }) => id);
}

export type SessionView = {
  id: string;
  address: string | null;
  createdAt: Date;
  /** Of the sign-in or the last refresh. */
  updatedAt: Date;
  expiresAt: Date;
};

/** The living sessions of an account, the one that was used last first. */
export async function listSessions(tx: Tx, accountId: string, now: Date): Promise<SessionView[]> {
  return await tx<SessionView[]>`
    select id, address, created_at, updated_at, expires_at from session
    where account_id = ${accountId} and ended_at is null and expires_at > ${now}
    order by updated_at desc, id desc limit 200`;
}

export async function insertRefreshToken(
  tx: Tx,
  token: { hash: string; sessionId: string; expiresAt: Date },
): Promise<void> {
  await tx`insert into refresh_token ${tx(token)}`;
}

export type RefreshToken = {
  sessionId: string;
  accountId: string;
  role: Role;
  used: boolean;
};

/**
 * A token that has not expired, of a session that is alive and of no older generation; used or not. It and its session
 * are locked: of two uses at once, the second one waits and finds it used.
 */
export async function lockRefreshToken(
  tx: Tx,
  hash: string,
  o: { now: Date; generation: number },
): Promise<RefreshToken | undefined> {
  const [row] = await tx<RefreshToken[]>`
    select t.session_id, s.account_id, a.role, t.used_at is not null as used
    from refresh_token t join session s on s.id = t.session_id join account a on a.id = s.account_id
    where t.hash = ${hash} and t.expires_at > ${o.now}
      and s.ended_at is null and s.expires_at > ${o.now} and s.generation >= ${o.generation}
    for no key update of t, s`;
  return row;
}

/** Marks a token as used and lets its session live until `expiresAt`. */
export async function useRefreshToken(
  tx: Tx,
  o: { hash: string; sessionId: string; now: Date; expiresAt: Date },
): Promise<void> {
  await tx`update refresh_token set used_at = ${o.now}, updated_at = now() where hash = ${o.hash}`;
  await tx`
    update session set expires_at = ${o.expiresAt}, updated_at = now() where id = ${o.sessionId}`;
}
