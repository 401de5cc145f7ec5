import type { Scope } from "#shared/contract/scope.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { Role } from "./accounts.ts";

export type KeyView = {
  id: string;
  name: string;
  scopes: Scope[];
  cidrs: string[];
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  createdAt: Date;
};

/** Inserts a key; undefined when the account has one of that name, in whatever case. */
export async function insertKey(
  tx: Tx,
  key: Omit<KeyView, "lastUsedAt" | "createdAt"> & { accountId: string; secretHash: string },
): Promise<KeyView | undefined> {
  const [row] = await tx<KeyView[]>`
    insert into api_key ${tx(key)}
    on conflict do nothing
    returning id, name, scopes, cidrs, expires_at, last_used_at, created_at`;
  return row;
}

export async function countKeys(tx: Tx, accountId: string): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select count(*) as count from api_key where account_id = ${accountId}`;
  return row?.count ?? 0;
}

/** The keys of an account, the newest first; expired ones too, until they are cleared away. */
export async function listKeys(tx: Tx, accountId: string): Promise<KeyView[]> {
  return await tx<KeyView[]>`
    select id, name, scopes, cidrs, expires_at, last_used_at, created_at from api_key
    where account_id = ${accountId} order by created_at desc, id desc`;
}

/** Removes a key of this account; undefined when it has none of that id. */
export async function removeKey(
  tx: Tx,
  id: string,
  accountId: string,
): Promise<{ name: string } | undefined> {
  const [row] = await tx<{ name: string }[]>`
    delete from api_key where id = ${id} and account_id = ${accountId} returning name`;
  return row;
}

/** Removes every key of the account; answers which. */
export async function removeKeys(tx: Tx, accountId: string): Promise<{ id: string; name: string }[]> {
  return await tx<{ id: string; name: string }[]>`
    delete from api_key where account_id = ${accountId} returning id, name`;
}

export type Key = {
  id: string;
  accountId: string;
  role: Role;
  secretHash: string;
  scopes: Scope[];
  cidrs: string[];
  expiresAt: Date | null;
  lastUsedAt: Date | null;
};

/** A key that has not expired at `now`, with the present role of its account. */
export async function readKey(tx: Tx, id: string, now: Date): Promise<Key | undefined> {
  const [row] = await tx<Key[]>`
    select k.id, k.account_id, a.role, k.secret_hash, k.scopes, k.cidrs, k.expires_at, k.last_used_at
    from api_key k join account a on a.id = k.account_id
    where k.id = ${id} and (k.expires_at is null or k.expires_at > ${now})`;
  return row;
}

export async function touchKey(tx: Tx, id: string, now: Date): Promise<void> {
  await tx`update api_key set last_used_at = ${now}, updated_at = now() where id = ${id}`;
}
