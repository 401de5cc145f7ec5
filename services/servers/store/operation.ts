import type { Tx } from "#shared/db/connect.ts";

// The rows are the mechanism's (shared/saga); these are this service's questions about them.

/** Milliseconds since the newest operation of this type on a server failed; undefined when it did not fail. */
export async function lastFailureAge(
  tx: Tx,
  { instanceId, type }: { instanceId: string; type: string },
): Promise<number | undefined> {
  const [row] = await tx<{ status: string; ageMs: number }[]>`
    select status, extract(epoch from now() - finished_at)::float8 * 1000 as age_ms from operation
    where instance_id = ${instanceId} and type = ${type}
    order by created_at desc limit 1`;
  return row?.status === "failed" ? row.ageMs : undefined;
}
