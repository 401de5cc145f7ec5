// A worker in a process of its own, for the test that kills it: says what it runs and never ends it.
import { connectDb } from "#shared/db/connect.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { startWorker } from "./worker.ts";

startWorker({
  db: connectDb({ url: process.env["WORKER_URL"] ?? "", schema: "work", name: "killed-worker" }),
  queue: "jobs",
  handle: async (run) => {
    process.stdout.write(`${run.job.key} ${run.job.attempt}\n`);
    await new Promise(() => {});
  },
  concurrency: 1,
  leaseMs: Number(process.env["WORKER_LEASE_MS"]),
  sweepMs: 1000,
  maxAttempts: 3,
  backoffMs: () => 1000,
  clock: systemClock,
  log: silentLogger,
});
