import type { Statement, Tx } from "#shared/db/connect.ts";
import type { Job } from "./fence.ts";

/** How a run ended; `at` is when the job is due next (milliseconds since the epoch). */
export type Outcome = {
  key: string;
  fence: number;
  kind: "done" | "again" | "failed" | "released";
  at: number;
  error: string | null;
};
/** Given back as if it had not been begun. */
export const released = ({ key, fence }: Held, at: number): Outcome => ({
  key,
  fence,
  kind: "released",
  at,
  error: null,
});
export type Held = { key: string; fence: number };

const instant = (ms: number) => new Date(ms).toISOString();

type Claim = {
  queue: string;
  /** Names the worker. */
  holder: string;
  limit: number;
  /** Keys in the worker's hands: they are not taken although their lease is the worker's own, or has run out. */
  except: string[];
  /** Keys that were asked for as the worker's own, where it is not known whether that was committed. */
  doubtful?: string[];
  now: number;
  leaseMs: number;
  maxAttempts: number;
};
type Claimed = (Omit<Job, "queue"> & { dead: boolean })[];
export type Turn = {
  settled: string[];
  kept: boolean;
  claimed: Claimed | null;
  more: boolean;
  nextDue: number | null;
};

/**
 * One statement: writes how runs ended; a `hungry` worker takes up to `limit` jobs with it and is told when the next one
 * falls due (milliseconds since the epoch) if there is no more to take. Rows that another transaction has locked are neither
 * settled nor taken. `claimed` is null when it did not look, `more` says that it took `limit` and there is more to take,
 * `kept` that what ended brought work.
 */
export function turn(tx: Tx, o: Claim & { outcomes: Outcome[]; hungry: boolean }): Statement<Turn[]> {
  const { keys, fences, others } = given(o.outcomes);
  return tx<Turn[]>`
    select to_json(settled) as settled, kept, claimed, more, next_due from job_turn(
      ${o.queue}, ${o.holder}, ${keys}::text[], ${fences}::bigint[], ${tx.json(others)}, ${o.hungry}, ${o.limit},
      ${tx.json(o.except)}, ${tx.json(o.doubtful ?? [])}, ${instant(o.now)}, ${instant(o.now + o.leaseMs)},
      ${o.maxAttempts})`;
}

/** Takes up to `limit` jobs that are due or whose lease ran out; `dead` are those that have had their attempts. */
export async function claim(tx: Tx, o: Claim): Promise<{ jobs: Job[]; dead: Job[] }> {
  const [row] = await tx<{ claimed: Claimed }[]>`
    select job_claim(
      ${o.queue}, ${o.holder}, ${o.limit}, ${tx.json(o.except)}, ${tx.json(o.doubtful ?? [])}, ${instant(o.now)},
      ${instant(o.now + o.leaseMs)}, ${o.maxAttempts}) as claimed`;
  return sorted(o.queue, row?.claimed ?? []);
}

/** Claimed jobs, those that died apart. */
export function sorted(queue: string, claimed: Claimed): { jobs: Job[]; dead: Job[] } {
  const found: { jobs: Job[]; dead: Job[] } = { jobs: [], dead: [] };
  for (const { dead, ...job } of claimed) (dead ? found.dead : found.jobs).push({ ...job, queue });
  return found;
}

/**
 * Renews leases and returns those that are still ours. What a fenced transaction has locked is not `renewed`: nobody can
 * take it meanwhile, and it waits for the next beat.
 */
export function renew(
  tx: Tx,
  queue: string,
  held: Held[],
  until: number,
): Statement<(Held & { renewed: boolean })[]> {
  return tx<(Held & { renewed: boolean })[]>`
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
    select key, fence, key = any (array(select key from free)) as renewed from mine`;
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
  const { keys, fences, others } = given(o.outcomes);
  const [row] = await tx<{ settled: string[] }[]>`
    select settled from job_settle(
      ${o.queue}, ${keys}::text[], ${fences}::bigint[], ${tx.json(others)}, ${instant(o.now)}, ${o.maxAttempts},
      ${o.skipLocked})`;
  return row?.settled ?? [];
}

/** What ended well is most of it, and needs no more than a key and a fence. */
function given(outcomes: Outcome[]) {
  const done = outcomes.filter(({ kind }) => kind === "done");
  const others = outcomes.filter(({ kind }) => kind !== "done");
  return {
    keys: done.map(({ key }) => key),
    fences: done.map(({ fence }) => fence),
    others: others.map((outcome) => ({ ...outcome, at: instant(outcome.at) })),
  };
}
