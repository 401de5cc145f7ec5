// A saga's worker in a process of its own, for the tests that kill or pause it between the effect and the log of its
// second step: it says so, and goes on when it is told a line.
import { createInterface } from "node:readline";
import { connectDb } from "#shared/db/connect.ts";
import { systemClock } from "#shared/process/clock.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { sagaOf, step } from "#shared/testing/saga-steps.ts";
import { sagaHandler } from "./handler.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const saga = sagaOf([
  step("first", { do: async () => ({ vmid: 5000 }) }),
  step("second", {
    do: async ({ state }) => {
      say(`second with ${state.vmid}`);
      await told.next();
      return { name: "of the child" };
    },
  }),
]);
const handle = sagaHandler([saga], [], { clock: systemClock, log: silentLogger });

startWorker({
  db: connectDb({ url: process.env["WORKER_URL"] ?? "", schema: "work", name: "child-worker" }),
  queue: saga.queue,
  handle: async (run) => {
    try {
      return await handle(run);
    } catch (error) {
      say(error instanceof Error ? error.name : String(error));
      throw error;
    }
  },
  concurrency: 1,
  leaseMs: Number(process.env["WORKER_LEASE_MS"] ?? 1_000),
  sweepMs: 1_000,
  maxAttempts: 3,
  backoffMs: () => 1_000,
  clock: systemClock,
  log: silentLogger,
});
