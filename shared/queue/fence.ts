import type { Db, Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";

export type Job = {
  id: string;
  queue: string;
  key: string;
  payload: Record<string, unknown>;
  /** 1 in the first run; runs that ended well or with `again` do not count. */
  attempt: number;
  /** Another one in every run of any job: what a stale worker is recognised by. */
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

/** What tells a handler to end; its signal is made when somebody looks at it, which most handlers never do. */
export class Abort {
  private controller: AbortController | undefined;
  private reason: { error: Error } | undefined;

  get aborted(): boolean {
    return this.reason !== undefined;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.reason) this.controller.abort(this.reason.error);
    return this.controller.signal;
  }

  abort(error: Error): void {
    this.reason ??= { error };
    this.controller?.abort(this.reason.error);
  }
}

/** The run that a handler is given. A lost lease that a write runs into aborts its signal. */
export function fencedRun(db: Db, job: Job, abort: Abort): Run {
  return {
    job,
    get signal() {
      return abort.signal;
    },
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
