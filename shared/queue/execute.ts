import { redact } from "#shared/telemetry/redact.ts";
import { fencedRun, type Job } from "./fence.ts";
import type { Outcome } from "./store.ts";
import type { WorkerOptions } from "./worker.ts";

export type Execution = Pick<WorkerOptions, "db" | "handle" | "backoffMs" | "maxAttempts" | "clock" | "log">;

/** Runs the handler for one job and says how it ended; never rejects. */
export async function execute(o: Execution, job: Job, abort: AbortController): Promise<Outcome> {
  const { clock, log } = o;
  const end = { key: job.key, fence: job.fence, error: null };
  try {
    const answer = await o.handle(fencedRun(o.db, job, abort));
    return { ...end, kind: answer ? "again" : "done", at: clock.now() + (answer?.again ?? 0) };
  } catch (error) {
    // Told to end: what it threw says nothing about the job.
    if (abort.signal.aborted) return { ...end, kind: "released", at: clock.now() };
    const last = job.attempt >= o.maxAttempts;
    log[last ? "error" : "warn"]({ err: error, job }, last ? "a job is dead" : "a job failed");
    const message = String(redact(String(error))).slice(0, 1000);
    return { ...end, kind: "failed", at: clock.now() + o.backoffMs(job.attempt), error: message };
  }
}
