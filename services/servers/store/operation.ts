import type { Tx } from "#shared/db/connect.ts";

// The rows are the mechanism's (shared/saga); these are this service's questions about them. Ages are by the database's clock.

/** More failures in a row than this are not told apart. */
const counted = 20;

/**
 * How often in a row operations of this type failed on a server, and how many milliseconds ago the last one did. What
 * ended because its account was suspended says nothing about the server, and is not among them.
 */
export async function readFailures(
  tx: Tx,
  { instanceId, type }: { instanceId: string; type: string },
): Promise<{ failures: number; ageMs: number }> {
  const rows = await tx<{ status: string; ageMs: number }[]>`
    select status, extract(epoch from now() - finished_at)::float8 * 1000 as age_ms from operation
    where instance_id = ${instanceId} and type = ${type}
      and coalesce(error ->> 'code', '') <> 'billing.gated'
    order by created_at desc limit ${counted}`;
  const other = rows.findIndex(({ status }) => status !== "failed");
  return { failures: other < 0 ? rows.length : other, ageMs: rows[0]?.ageMs ?? 0 };
}

/** Milliseconds since an operation was accepted, and since anything was written about it. */
export async function agesOf(tx: Tx, operationId: string): Promise<{ ageMs: number; quietMs: number }> {
  const since = (column: string) => tx`extract(epoch from now() - ${tx(column)})::float8 * 1000`;
  const [row] = await tx<{ ageMs: number; quietMs: number }[]>`
    select ${since("created_at")} as age_ms, ${since("updated_at")} as quiet_ms
    from operation where id = ${operationId}`;
  return row ?? { ageMs: 0, quietMs: 0 };
}
