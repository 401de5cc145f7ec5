import type { Tx } from "#shared/db/connect.ts";
import { newId } from "#shared/ids/ids.ts";

export type Role = "customer" | "operator";

export type Account = {
  id: string;
  email: string;
  username: string;
  firstName: string | null;
  lastName: string | null;
  displayName: string | null;
  role: Role;
};

/** Inserts an account; undefined when its e-mail address or its username is taken, in whatever case. */
export async function insertAccount(
  tx: Tx,
  account: Omit<Account, "id"> & { passwordHash: string },
): Promise<{ id: string; role: Role } | undefined> {
  const [row] = await tx<{ id: string; role: Role }[]>`
    insert into account ${tx({ id: newId("acc"), ...account })}
    on conflict do nothing
    returning id, role`;
  return row;
}

export async function findByEmail(tx: Tx, email: string): Promise<{ id: string; role: Role } | undefined> {
  const [row] = await tx<{ id: string; role: Role }[]>`
    select id, role from account where lower(email) = lower(${email})`;
  return row;
}

/** The account with this e-mail address or username. */
export async function findByIdentifier(
  tx: Tx,
  identifier: string,
): Promise<{ id: string; role: Role; passwordHash: string } | undefined> {
  const [row] = await tx<{ id: string; role: Role; passwordHash: string }[]>`
    select id, role, password_hash from account
    where lower(email) = lower(${identifier}) or lower(username) = lower(${identifier})`;
  return row;
}

/** An account as its owner sees it; an account that billing has not spoken of yet is active. */
export type AccountView = Account & { billingStatus: string; suspendedAt: Date | null };

export async function readAccount(tx: Tx, id: string): Promise<AccountView | undefined> {
  const [row] = await tx<AccountView[]>`
    select a.id, a.email, a.username, a.first_name, a.last_name, a.display_name, a.role,
      coalesce(b.billing_status, 'active') as billing_status, b.suspended_at
    from account a left join billing_state b on b.account_id = a.id
    where a.id = ${id}`;
  return row;
}

export type Names = Partial<Pick<Account, "firstName" | "lastName" | "displayName">>;

/** Sets the given names and leaves the others. */
export async function updateNames(tx: Tx, id: string, names: Names): Promise<void> {
  await tx`update account set ${tx({ ...names, updatedAt: new Date() })} where id = ${id}`;
}

export async function insertSession(
  tx: Tx,
  session: { id: string; accountId: string; address: string | undefined; expiresAt: Date },
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

export async function removeExpiredSessions(tx: Tx, accountId: string, now: Date): Promise<void> {
  await tx`delete from session where account_id = ${accountId} and expires_at <= ${now}`;
}

export type BillingState = {
  accountId: string;
  version: number;
  billingStatus: string;
  /** When the suspension began, as this version tells it; null: not suspended. */
  suspendedAt: Date | null;
};

/** Stores a newer version. A suspension that goes on under another name keeps the moment at which it began. */
export async function storeBillingState(tx: Tx, state: BillingState): Promise<void> {
  await tx`
    insert into billing_state ${tx(state)}
    on conflict (account_id) do update set
      version = excluded.version,
      billing_status = excluded.billing_status,
      suspended_at = case when excluded.suspended_at is not null
        then coalesce(billing_state.suspended_at, excluded.suspended_at) end,
      updated_at = now()
    where billing_state.version < excluded.version`;
}

export type AuditEntry = {
  /** Account that acted; null while nobody is signed in. */
  actor: string | null;
  action: "account.register" | "session.login" | "session.login_failed" | "session.logout";
  /** Account that was acted on; null when none has that name. */
  target: string | null;
  address: string | undefined;
  requestId: string;
};

export async function insertAudit(tx: Tx, entry: AuditEntry): Promise<void> {
  await tx`insert into audit ${tx({ id: newId("aud"), ...entry, address: entry.address ?? null })}`;
}
