import type { Tx } from "#shared/db/connect.ts";
import type { Job } from "./fence.ts";

/** How a run ended; `at` is when the job is due next (milliseconds since the epoch). */
export type Outcome = {
  key: string;
  fence: number;
  kind: "done" | "again" | "failed" | "released";
  at: number;
  error: string | null;
};
export type Held = { key: string; fence: number };

const instant = (ms: number) => new Date(ms).toISOString();

/**
 * For the transactions of a worker: indexes only. A queue grows from nothing to thousands between two looks of the
 * statistics collector, and a plan that was made while it was empty reads all of it.
 */
export async function useIndexes(tx: Tx): Promise<void> {
  await tx`select set_config('enable_seqscan', 'off', true)`;
}

/**
 * Takes up to `limit` jobs that are due or whose lease ran out, in one statement. Keys in `except` are not taken for
 * their lease having run out: they are in the caller's own hands. A job that has had its attempts dies instead of being
 * returned as work. The worker's clock says what is due; the database's counts too, so that a worker whose clock is
 * behind does not overlook what was enqueued just now.
 */
export async function claim(
  tx: Tx,
  o: { queue: string; limit: number; except: string[]; now: number; leaseMs: number; maxAttempts: number },
): Promise<{ jobs: Job[]; dead: Job[] }> {
  if (o.limit <= 0) return { jobs: [], dead: [] };
  const now = instant(o.now);
  const until = instant(o.now + o.leaseMs);
  const max = o.maxAttempts;
  const rows = await tx<(Omit<Job, "queue"> & { dead: boolean })[]>`
    with due as (
      select key from job
      where queue = ${o.queue} and died_at is null
        and due_at <= greatest(${now}::timestamptz, now())
        and (lease_until is null or (
          lease_until <= ${now}::timestamptz and not (${tx.json(o.except)}::jsonb ? key)
        ))
      order by due_at limit ${o.limit}::int for update skip locked
    )
    update job set
      lease_until = case when attempt < ${max}::int or rerun_at is not null then ${until}::timestamptz end,
      died_at = case when attempt >= ${max}::int and rerun_at is null then ${now}::timestamptz end,
      last_error = case when attempt >= ${max}::int then 'the worker vanished' else last_error end,
      attempt = case when attempt < ${max}::int then attempt + 1 when rerun_at is null then attempt else 1 end,
      payload = case when attempt >= ${max}::int then coalesce(rerun_payload, payload) else payload end,
      rerun_at = case when attempt < ${max}::int then rerun_at end,
      rerun_payload = case when attempt < ${max}::int then rerun_payload end,
      fence = nextval('job_fence'),
      updated_at = now()
    where queue = ${o.queue} and key = any (array(select key from due))
    returning id::text, key, payload, attempt, fence, died_at is not null as dead`;
  const jobs = rows.map(({ dead, ...job }) => ({ dead, job: { ...job, queue: o.queue } }));
  return {
    jobs: jobs.filter((row) => !row.dead).map((row) => row.job),
    dead: jobs.filter((row) => row.dead).map((row) => row.job),
  };
}

/** When the next waiting job falls due (milliseconds since the epoch), if there is one. */
export async function nextDue(tx: Tx, queue: string, now: number): Promise<number | undefined> {
  const [row] = await tx<{ due: number }[]>`
    select extract(epoch from due_at)::float8 * 1000 as due from job
    where queue = ${queue} and died_at is null and lease_until is null
      and due_at > greatest(${instant(now)}::timestamptz, now())
    order by due_at limit 1`;
  return row?.due;
}

/** Renews leases and returns those that are still ours. Rows locked by a fenced transaction are alive and wait for the next beat. */
export async function renew(tx: Tx, queue: string, held: Held[], until: number): Promise<Held[]> {
  return tx<Held[]>`
    with mine as (
      select j.* from jsonb_to_recordset(${tx.json(held)}::jsonb) as m (key text, fence bigint)
      cross join lateral (
        select key, fence from job
        where queue = ${queue} and key = m.key and fence = m.fence and lease_until is not null
        offset 0
      ) j
    ),
    free as (
      select j.key from mine m cross join lateral (
        select key from job where queue = ${queue} and key = m.key and fence = m.fence for update skip locked
      ) j
    ),
    renewed as (
      update job set lease_until = ${instant(until)}::timestamptz, updated_at = now()
      where queue = ${queue} and key = any (array(select key from free))
    )
    select key, fence from mine`;
}

/**
 * Writes how runs ended, many in one statement, and returns the keys that were still held. With `skipLocked`, rows
 * that another transaction has locked are left out: waiting for several of them at once could end in a deadlock.
 */
export async function settle(
  tx: Tx,
  o: { queue: string; outcomes: Outcome[]; now: number; maxAttempts: number; skipLocked: boolean },
): Promise<string[]> {
  if (o.outcomes.length === 0) return [];
  const now = instant(o.now);
  const given = o.outcomes.map((outcome) => ({ ...outcome, at: instant(outcome.at) }));
  const rows = await tx<{ key: string }[]>`
    with given as (
      select * from jsonb_to_recordset(${tx.json(given)}::jsonb)
        as g (key text, fence bigint, kind text, at timestamptz, error text)
    ),
    -- The row as it is once locked. The statement's snapshot may be older, so the update takes every value from here.
    held as (
      select j.*, g.kind, g.at, g.error, j.rerun_at is not null as wanted
      from given g cross join lateral (
        select * from job
        where queue = ${o.queue} and key = g.key and fence = g.fence and lease_until is not null
        for update ${o.skipLocked ? tx`skip locked` : tx``}
      ) j
    ),
    finished as (
      delete from job
      where queue = ${o.queue} and key = any (array(select key from held where kind = 'done' and not wanted))
    ),
    kept as (
      update job j set
        lease_until = null,
        died_at = case
          when h.kind = 'failed' and not h.wanted and h.attempt >= ${o.maxAttempts}::int then ${now}::timestamptz end,
        due_at = least(case when h.kind <> 'done' then h.at end, h.rerun_at),
        since_at = case
          when h.wanted then greatest(h.rerun_at, ${now}::timestamptz)
          when h.kind = 'again' then h.at
          else h.since_at end,
        attempt = case
          when h.wanted or h.kind = 'again' then 0
          when h.kind = 'released' then greatest(h.attempt - 1, 0)
          else h.attempt end,
        payload = coalesce(h.rerun_payload, h.payload),
        rerun_at = null,
        rerun_payload = null,
        last_error = case when h.kind = 'released' then h.last_error else h.error end,
        updated_at = now()
      from held h
      where j.queue = ${o.queue} and j.key = h.key
        and j.key = any (array(select key from held where kind <> 'done' or wanted))
    ),
    noted as (
      insert into queue_progress as p (queue, last_success_at)
      select ${o.queue}, ${now}::timestamptz where exists (select from held where kind in ('done', 'again'))
      on conflict (queue) do update set last_success_at = excluded.last_success_at, updated_at = now()
      where p.last_success_at <= excluded.last_success_at - interval '1 second'
    )
    select key from held`;
  return rows.map((row) => row.key);
}
