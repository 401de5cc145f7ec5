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

export async function readPasswordHash(tx: Tx, id: string): Promise<string | undefined> {
  const [row] = await tx<{ passwordHash: string }[]>`select password_hash from account where id = ${id}`;
  return row?.passwordHash;
}

/**
 * Whether the account still has this password; locks it until the transaction ends: a change of it waits, and then finds
 * whatever this transaction made, and so does another sign-in.
 */
export async function holdPassword(tx: Tx, id: string, passwordHash: string): Promise<boolean> {
  const rows = await tx`
    select from account where id = ${id} and password_hash = ${passwordHash} for no key update`;
  return rows.length === 1;
}

export async function updatePassword(tx: Tx, id: string, passwordHash: string): Promise<void> {
  await tx`update account set ${tx({ passwordHash, updatedAt: new Date() })} where id = ${id}`;
}

/** Sets a password in place of this one; false when the account has another by now. */
export async function replacePassword(
  tx: Tx,
  id: string,
  passwordHash: string,
  current: string,
): Promise<boolean> {
  const rows = await tx`
    update account set ${tx({ passwordHash, updatedAt: new Date() })}
    where id = ${id} and password_hash = ${current} returning id`;
  return rows.length === 1;
}

/** Makes every other transaction that locks the account wait for this one. */
export async function lockAccount(tx: Tx, id: string): Promise<{ role: Role } | undefined> {
  const [row] = await tx<{ role: Role }[]>`select role from account where id = ${id} for no key update`;
  return row;
}
