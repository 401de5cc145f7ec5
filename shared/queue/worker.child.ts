// A worker in a process of its own, for the tests that pause it or kill it. What its handler does is WORKER_HANDLER:
//   hang    says what it runs and never ends
//   told    says what it runs, writes its effect when it is told a line, and says what came of that
//   mortal  writes its effect; by the dice of WORKER_SEED the process kills itself at any of the points in between
import { createInterface } from "node:readline";
import { connectDb } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { seeded } from "#shared/testing/random.ts";
import type { Run } from "./fence.ts";
import { startWorker } from "./worker.ts";

const env = process.env;
const say = (line: string) => process.stdout.write(`${line}\n`);
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const dice = seeded(Number(env["WORKER_SEED"]));
const mayDie = () => void (dice() < 0.06 && process.kill(process.pid, "SIGKILL"));

const handlers: Record<string, (run: Run) => Promise<void>> = {
  async hang(run) {
    say(`${run.job.key} ${run.job.attempt}`);
    await new Promise(() => {});
  },
  async told(run) {
    say(run.job.key);
    await told.next();
    const came = await effect(run).then(
      () => "written",
      (error: unknown) => String(error).split(":")[0],
    );
    say(`${came}, ${run.signal.aborted ? "aborted" : "going on"}`);
  },
  async mortal(run) {
    mayDie();
    await effect(run);
    mayDie();
  },
};

/** A write that, like every handler's, does nothing when it was done before. */
async function effect(run: Run): Promise<void> {
  await run.fenced(async (tx) => {
    mayDie();
    await tx`insert into effect (key, fence) values (${run.job.key}, ${run.job.fence}) on conflict do nothing`;
    mayDie();
  });
}

const db = connectDb({ url: env["WORKER_URL"] ?? "", schema: "work", name: "child-worker" });
if (env["WORKER_HANDLER"] === "mortal") {
  // Death also comes at a moment that no handler chooses: within the statements of a claim, a heartbeat or a settling.
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 100 + dice() * 1_000);
  await withTx(db, (tx) => tx`select 1`);
}

startWorker({
  db,
  queue: "jobs",
  handle: handlers[env["WORKER_HANDLER"] ?? "hang"] ?? (() => Promise.reject(new Error("no such handler"))),
  concurrency: Number(env["WORKER_CONCURRENCY"] ?? 1),
  leaseMs: Number(env["WORKER_LEASE_MS"]),
  sweepMs: 50,
  maxAttempts: 1_000,
  backoffMs: () => 20,
  clock: systemClock,
  log: silentLogger,
});
