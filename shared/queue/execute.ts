import { isOutage } from "#shared/db/errors.ts";
import { redact } from "#shared/telemetry/redact.ts";
import { type Abort, fencedRun, type Job } from "./fence.ts";
import type { Outcome } from "./store.ts";
import type { WorkerOptions } from "./options.ts";

export type Execution = Pick<WorkerOptions, "db" | "handle" | "backoffMs" | "maxAttempts" | "clock" | "log">;

/** Runs the handler for one job and says how it ended; never rejects. */
export async function execute(o: Execution, job: Job, abort: Abort): Promise<Outcome> {
  const { clock, log } = o;
  const end = { key: job.key, fence: job.fence, error: null };
  try {
    const answer = await o.handle(fencedRun(o.db, job, abort));
    return { ...end, kind: answer ? "again" : "done", at: clock.now() + (answer?.again ?? 0) };
  } catch (error) {
    // Told to end, or without a database: what it threw says nothing about the job.
    if (abort.aborted) return { ...end, kind: "released", at: clock.now() };
    if (isOutage(error)) return { ...end, kind: "released", at: clock.now() + afterOutageMs };
    const last = job.attempt >= o.maxAttempts;
    log[last ? "error" : "warn"]({ err: error, job }, last ? "a job is dead" : "a job failed");
    const message = String(redact(String(error))).slice(0, 1000);
    return { ...end, kind: "failed", at: clock.now() + o.backoffMs(job.attempt), error: message };
  }
}

/** Milliseconds until a run that ended for want of the database is repeated. */
const afterOutageMs = 500;
