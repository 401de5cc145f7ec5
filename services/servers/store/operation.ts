import type { Db, Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";

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

/** Milliseconds since anything was written about an operation. */
export async function quietMs(tx: Tx, operationId: string): Promise<number> {
  const [row] = await tx<{ ageMs: number }[]>`
    select extract(epoch from now() - updated_at)::float8 * 1000 as age_ms from operation where id = ${operationId}`;
  return row?.ageMs ?? 0;
}

const step = 500;

/** Deletes what ended longer ago than `ageMs`, in small steps; how many that were. */
export async function purgeOperations(db: Db, ageMs: number): Promise<number> {
  for (let purged = 0; ;) {
    const { count } = await withTx(
      db,
      (tx) => tx`
        delete from operation where id in (
          select id from operation where finished_at < now() - ${ageMs} * interval '1 millisecond' limit ${step})`,
    );
    purged += count;
    if (count < step) return purged;
  }
}
