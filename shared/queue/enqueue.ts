import type { Tx } from "#shared/db/connect.ts";
import { afterCommit } from "#shared/db/tx.ts";
import { wakeLocally } from "./wakes.ts";

export type Enqueued = { key: string; payload?: object | undefined; runAt?: Date | undefined };

/**
 * Asks for work on `key`, in the caller's transaction; resolves with the job's id. There is one job per (queue, key):
 * a waiting one is joined (the newer payload and the earlier time hold, its attempts start again), a dead one is
 * revived, and a running one is followed by exactly one more run, however often it is asked for meanwhile.
 */
export async function enqueue(tx: Tx, o: { queue: string } & Enqueued): Promise<string> {
  const [id] = await enqueueAll(tx, o.queue, [o]);
  return id ?? "";
}

/** `enqueue` for many keys in one statement; of equal keys the last one holds. Ids come in no particular order. */
export async function enqueueAll(tx: Tx, queue: string, jobs: readonly Enqueued[]): Promise<string[]> {
  if (jobs.length === 0) return [];
  // Sorted, so that two transactions that ask for the same keys lock them in the same order.
  const rows = [...new Map(jobs.map((job) => [job.key, job])).values()]
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, payload, runAt }) => ({
      key,
      payload: payload ?? {},
      run_at: runAt?.toISOString() ?? null,
    }));
  const ids = await tx<{ id: string }[]>`
    insert into job as j (queue, key, payload, due_at, since_at)
    select ${queue}, key, payload, coalesce(run_at, now()), greatest(run_at, now())
    from jsonb_to_recordset(${tx.json(rows)}::jsonb) as r (key text, payload jsonb, run_at timestamptz)
    on conflict (queue, key) do update set
      rerun_at = case when j.lease_until is not null then least(j.rerun_at, excluded.due_at) end,
      rerun_payload = case when j.lease_until is not null then excluded.payload end,
      payload = case when j.lease_until is null then excluded.payload else j.payload end,
      due_at = case
        when j.lease_until is not null then j.due_at
        when j.died_at is not null then excluded.due_at
        else least(j.due_at, excluded.due_at) end,
      since_at = case when j.died_at is not null then excluded.since_at else j.since_at end,
      attempt = case when j.lease_until is null then 0 else j.attempt end,
      died_at = null,
      updated_at = now()
    returning id::text`;
  afterCommit(tx, () => wakeLocally(queue));
  return ids.map((row) => row.id);
}
