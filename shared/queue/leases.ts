import { single } from "#shared/db/tx.ts";
import { type Abort, type Job, LeaseLost } from "./fence.ts";
import { renew } from "./store.ts";
import type { WorkerOptions } from "./options.ts";

/** A job in a worker's hands; `until` is when its lease runs out, in milliseconds since the epoch. */
export type Leased = { job: Job; abort: Abort; until: number };

type Options = Pick<WorkerOptions, "db" | "queue" | "clock" | "leaseMs" | "log">;
type Active = ReadonlyMap<string, Leased>;

/**
 * Renews the leases of `active` until `signal` aborts, and aborts the runs whose lease is lost or has run out: when it
 * does, and not when a database that does not answer has been waited for.
 */
export async function keepLeases(o: Options, active: Active, signal: AbortSignal): Promise<void> {
  const { clock, leaseMs, log, queue } = o;
  for (;;) {
    const left = expire(o, active) - clock.now();
    // Sooner when a beat was missed, so that there are more before the lease is over.
    await clock.sleep(Math.max(leaseMs / 30, Math.min(leaseMs / 3, left / 2)), signal);
    if (signal.aborted) return;
    const over = new AbortController();
    const end = () => over.abort();
    signal.addEventListener("abort", end, { once: true });
    void beat(o, [...active.values()])
      .catch((error: unknown) => log.warn({ err: error, queue }, "leases could not be renewed"))
      .finally(end);
    while (!over.signal.aborted) {
      const next = expire(o, active) - clock.now();
      await clock.sleep(Math.min(next, leaseMs), over.signal);
    }
    signal.removeEventListener("abort", end);
  }
}

/** Aborts what has run out; returns when the next one will, in milliseconds since the epoch. */
function expire({ clock }: Options, active: Active): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { job, abort, until } of active.values()) {
    if (abort.aborted) continue;
    if (until <= clock.now()) abort.abort(new LeaseLost(job));
    else next = Math.min(next, until);
  }
  return next;
}

async function beat({ db, queue, clock, leaseMs }: Options, leased: Leased[]): Promise<void> {
  if (leased.length === 0) return;
  const until = clock.now() + leaseMs;
  const leases = leased.map(({ job: { key, fence } }) => ({ key, fence }));
  const timeoutMs = Math.max(1_000, leaseMs / 3);
  const held = await single(db, (sql) => renew(sql, queue, leases, until), { timeoutMs });
  const renewed = new Map(held.map((row) => [row.fence, row.renewed]));
  for (const one of leased) {
    if (renewed.get(one.job.fence)) one.until = until;
    else if (!renewed.has(one.job.fence)) one.abort.abort(new LeaseLost(one.job));
  }
}
