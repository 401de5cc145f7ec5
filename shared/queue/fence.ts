import type { Db, Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";

export type Job = {
  id: string;
  queue: string;
  key: string;
  payload: Record<string, unknown>;
  /** 1 in the first run; runs that ended well or with `again` do not count. */
  attempt: number;
  /** Larger in every later run of any job: what a stale worker is recognised by. */
  fence: number;
};

/** One run of a job, as its handler sees it. */
export type Run = {
  job: Job;
  /** Aborts when the lease is lost or the worker stops: end soon, by throwing. */
  signal: AbortSignal;
  /** A transaction that fails with `LeaseLost`, without any effect, unless this run still holds the job. */
  fenced<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
};

/** Another worker holds the job now, or it was given back: nothing more may be written for this run. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
  constructor(job: Pick<Job, "queue" | "key" | "fence">) {
    super(`the lease of ${job.queue}/${job.key} (fence ${job.fence}) is lost`);
  }
}

/** The run that a handler is given. `abort` is what its signal follows; a lost lease that a write runs into aborts it too. */
export function fencedRun(db: Db, job: Job, abort: AbortController): Run {
  return {
    job,
    signal: abort.signal,
    fenced: async (fn) => {
      try {
        return await fencedTx(db, job, fn);
      } catch (error) {
        if (error instanceof LeaseLost) abort.abort(error);
        throw error;
      }
    },
  };
}

/** The job's row stays locked to the end, so no other worker can take the job between the check and the commit. */
function fencedTx<T>(db: Db, job: Job, fn: (tx: Tx) => Promise<T>): Promise<T> {
  return withTx(db, async (tx) => {
    const held = await tx`
      select from job
      where queue = ${job.queue} and key = ${job.key} and fence = ${job.fence} and lease_until is not null
      for update`;
    if (held.length === 0) throw new LeaseLost(job);
    return fn(tx);
  });
}
