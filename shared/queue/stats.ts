import type { Tx } from "#shared/db/connect.ts";

export type QueueStats = {
  queue: string;
  /** Jobs that wait or run. */
  depth: number;
  /** For how long the oldest job that is due and not in a worker's hands has been wanted, in milliseconds; 0 without one. */
  oldestAgeMs: number;
  lastSuccessAt: Date | null;
  /** Jobs that failed at every attempt; `enqueue` of their key revives them. */
  dead: number;
};

/** The state of one queue, or of every queue of this schema. */
export async function queueStats(tx: Tx, queue?: string): Promise<QueueStats[]> {
  return tx<QueueStats[]>`
    with known as (
      select queue from job union select queue from queue_progress
      union select ${queue ?? null}::text
    )
    select k.queue,
      count(j.key) filter (where j.died_at is null)::int as depth,
      coalesce(extract(epoch from greatest(interval '0', now() - min(j.since_at) filter (
        where j.died_at is null and (j.lease_until is null or j.lease_until < now())
      ))) * 1000, 0)::float8 as "oldestAgeMs",
      p.last_success_at as "lastSuccessAt",
      count(j.key) filter (where j.died_at is not null)::int as dead
    from known k
    left join job j on j.queue = k.queue
    left join queue_progress p on p.queue = k.queue
    where k.queue is not null and (${queue ?? null}::text is null or k.queue = ${queue ?? null}::text)
    group by k.queue, p.last_success_at
    order by k.queue`;
}
