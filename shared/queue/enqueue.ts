import type { Db, Statement, Tx } from "#shared/db/connect.ts";
import { afterCommit, afterEnd, dbOf, single, type TxEnd } from "#shared/db/tx.ts";
import type { Job } from "./fence.ts";
import { freeHand, type Hand } from "./hands.ts";
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
  const asking = new Asking(dbOf(tx), queue, jobs);
  afterEnd(tx, (end) => asking.end(end));
  asking.written = (await asking.statement(tx))[0]?.written ?? [];
  afterCommit(tx, () => asking.wake());
  return asking.written.map((row) => row.id);
}

/** `enqueueAll` as a transaction of its own, in one round trip. After a rejection it may have happened: ask again. */
export async function enqueueNow(db: Db, queue: string, jobs: readonly Enqueued[]): Promise<string[]> {
  if (jobs.length === 0) return [];
  const asking = new Asking(db, queue, jobs);
  try {
    asking.written = (await single(db, (sql) => asking.statement(sql)))[0]?.written ?? [];
  } catch (error) {
    asking.end("unknown");
    throw error;
  }
  asking.end("committed");
  asking.wake();
  return asking.written.map((row) => row.id);
}

type Written = { id: string; key: string; fence: number; fresh: boolean };

/** One statement's worth of jobs, and the hands that workers of this process keep for them. */
class Asking {
  written: Written[] = [];
  private readonly db: Db;
  private readonly queue: string;
  private readonly jobs: Enqueued[];
  /** As JSON, in the order of `jobs`. */
  private readonly payloads: string;
  private readonly hands = new Map<string, Hand>();
  private begun = 0;
  /** Its transaction has ended. */
  private over = false;

  constructor(db: Db, queue: string, jobs: readonly Enqueued[]) {
    this.db = db;
    this.queue = queue;
    const last = new Map(jobs.map((job) => [job.key, job]));
    // Sorted, so that two transactions that ask for the same keys lock them in the same order.
    this.jobs = [...last.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    this.payloads = JSON.stringify(this.jobs.map(({ payload }) => payload ?? {}));
  }

  statement(tx: Tx): Statement<{ written: Written[] }[]> {
    const keys = this.jobs.map(({ key }) => key);
    const runAt = this.jobs.some((job) => job.runAt) ? this.jobs.map((job) => job.runAt ?? null) : [];
    const own = this.jobs.map((job) => !job.runAt && this.take(job.key));
    const [hand] = this.hands.values();
    const until = hand ? new Date(hand.until).toISOString() : null;
    return tx<{ written: Written[] }[]>`
      with written as (insert into job as j (queue, key, payload, due_at, since_at, lease_until, holder, attempt)
      select ${this.queue}, key, payload, coalesce(run_at, now()), greatest(run_at, now()),
        case when own then ${until}::timestamptz end, case when own then ${hand?.holder ?? null} end,
        case when own then 1 else 0 end
      from (
        select key, payload, run_at::timestamptz, own::boolean from rows from (
          jsonb_array_elements_text(${tx.json(keys)}), jsonb_array_elements(${this.payloads}::text::jsonb),
          jsonb_array_elements_text(${tx.json(runAt)}), jsonb_array_elements_text(${tx.json(own)})
        ) as r (key, payload, run_at, own)
      ) r
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
      returning id::text, key, fence, xmax = 0 as fresh)
      select json_agg(written) as written from written`;
  }

  /** Whether a hand is kept for the job. All hands of one statement are one worker's. */
  private take(key: string): boolean {
    // A function that goes on after its time was up: nobody would give the hand back.
    if (this.over) return false;
    // Kept from an attempt before that ended in a deadlock.
    if (this.hands.has(key)) return true;
    const hand = freeHand(this.db, this.queue, key);
    if (!hand) return false;
    const [first] = this.hands.values();
    if (first && first.holder !== hand.holder) {
      hand.drop(false);
      return false;
    }
    this.hands.set(key, hand);
    return true;
  }

  /** Begins what was written as a worker's own; a row that was there before goes its own way. */
  end(end: TxEnd): void {
    this.over = true;
    const began = end === "committed" && this.hands.size > 0;
    const payloads = began ? this.asRead() : new Map<string, Job["payload"]>();
    for (const { id, key, fence, fresh } of began ? this.written : []) {
      const hand = this.hands.get(key);
      if (!hand || !fresh) continue;
      this.hands.delete(key);
      this.begun++;
      const payload = payloads.get(key) ?? {};
      hand.begin({ id, queue: this.queue, key, payload, attempt: 1, fence });
    }
    for (const hand of this.hands.values()) hand.drop(end === "unknown");
    // Whoever looked meanwhile passed over the waiting jobs that were to be joined here, and were locked.
    if (end !== "committed") wakeLocally(this.queue);
  }

  /** The payloads by key, as they would be read: what JSON cannot hold is not in the row either. */
  private asRead(): Map<string, Job["payload"]> {
    const payloads: Job["payload"][] = JSON.parse(this.payloads);
    return new Map(this.jobs.map(({ key }, i) => [key, payloads[i] ?? {}]));
  }

  wake(): void {
    if (this.begun < this.jobs.length) wakeLocally(this.queue);
  }
}
