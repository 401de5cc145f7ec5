import { parseCidrs } from "#gateway/pipeline/cidr.ts";
import type { Scope } from "#shared/contract/scope.ts";
import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId } from "#shared/ids/ids.ts";
import { hashOf, newSecret, sameHash } from "./secrets.ts";
import { type Key, type KeyView, readKey, touchKey } from "./store/keys.ts";
import type { Holder } from "./verified.ts";

const shape = /^zpk_([0-9a-z]{26})_([\w-]{43})$/;

/** Whether a bearer credential is an API key; everything else is an access token. */
export const isKey = (credential: string): boolean => credential.startsWith("zpk_");

/** A new key: what its owner is shown once, and what is stored of it. */
export function newKey(): { id: string; key: string; secretHash: string } {
  const id = newId("key");
  const secret = newSecret();
  return { id, key: `zpk_${id.slice("key_".length)}_${secret}`, secretHash: hashOf(secret) };
}

/** Addresses and ranges of a key; throws when one of them is none. An empty list is no list. */
export const admission = (cidrs: readonly string[]): Holder["admits"] => {
  if (cidrs.length === 0) return undefined;
  const ranges = parseCidrs(cidrs);
  return (address) => ranges.has(address);
};

/** How exactly it is known when a key was last used, in milliseconds. */
const touchMs = 60_000;

/**
 * The holder of an API key and until when (ms since the epoch) it may be believed, and notes the use if `address` may
 * make it. Rejects with `auth.invalid_token` for a key that is unknown, revoked or expired.
 */
export async function holderOfKey(
  db: Db,
  credential: string,
  o: { address: string; now: number; timeoutMs: number },
): Promise<{ holder: Holder; until: number }> {
  const [, id, secret] = shape.exec(credential) ?? [];
  if (id === undefined || secret === undefined) throw coreFault("auth.invalid_token");
  const now = new Date(o.now);
  const found = await withTx(
    db,
    async (tx) => {
      const key = await readKey(tx, `key_${id}`, now);
      if (!key || !sameHash(hashOf(secret), key.secretHash)) return undefined;
      const holder = holderOf(key);
      const stale = key.lastUsedAt === null || key.lastUsedAt.getTime() <= o.now - touchMs;
      if (stale && (holder.admits?.(o.address) ?? true)) await touchKey(tx, key.id, now);
      return { holder, until: key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY };
    },
    { timeoutMs: o.timeoutMs },
  );
  if (!found) throw coreFault("auth.invalid_token");
  return found;
}

function holderOf(key: Key): Holder {
  const admits = admission(key.cidrs);
  const scopes: Scope[] = key.scopes;
  return {
    actor: { kind: "account", id: key.accountId, role: key.role, via: key.id, scopes },
    ...(admits ? { admits } : {}),
  };
}

/** A key as its owner sees it in lists: all but the secret. */
export const viewOf = ({ createdAt, expiresAt, lastUsedAt, ...key }: KeyView) => ({
  ...key,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});
