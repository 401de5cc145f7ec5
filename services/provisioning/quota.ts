import type { z } from "zod";
import type { AccountState } from "#services/billing/contract.ts";
import { resolveUrl } from "#services/billing/contract.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { quotaExceeded } from "./schemas.ts";
import { insertQuota, quotaUsed } from "./store.ts";

export type Exceeded = z.input<typeof quotaExceeded.quota_exceeded.details>;

/**
 * Takes a server and its memory from the limits of an account whose row is locked by `lockAccount`, so that nobody
 * counts at the same time. Resolves with the limit that is in the way, if there is one; nothing is taken then.
 */
export async function reserveQuota(
  tx: Tx,
  { accountId, plan, limits }: AccountState,
  want: { instanceId: string; memoryMiB: number },
): Promise<Exceeded | undefined> {
  const used = await quotaUsed(tx, accountId);
  if (used.servers + 1 > limits.servers)
    return { resource: "servers", limit: limits.servers, used: used.servers, plan, resolveUrl };
  if (used.memoryMiB + want.memoryMiB > limits.memoryMiB)
    return { resource: "memory", limit: limits.memoryMiB, used: used.memoryMiB, plan, resolveUrl };
  await insertQuota(tx, { accountId, ...want });
  return undefined;
}
