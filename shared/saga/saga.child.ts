// A saga's worker in a process of its own, for the test that kills it between the effect and the log of its second step.
import { connectDb } from "#shared/db/connect.ts";
import { systemClock } from "#shared/process/clock.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { sagaOf, step } from "./fixtures.ts";
import { sagaHandler } from "./handler.ts";

const saga = sagaOf([
  step("first", { do: async () => ({ vmid: 5000 }) }),
  step("second", {
    do: async ({ state }) => {
      process.stdout.write(`second with ${state.vmid}\n`);
      await new Promise(() => {});
    },
  }),
]);

startWorker({
  db: connectDb({ url: process.env["WORKER_URL"] ?? "", schema: "work", name: "killed-worker" }),
  queue: saga.queue,
  handle: sagaHandler([saga], [], { clock: systemClock, log: silentLogger }),
  concurrency: 1,
  leaseMs: 1000,
  sweepMs: 1000,
  maxAttempts: 3,
  backoffMs: () => 1000,
  clock: systemClock,
  log: silentLogger,
});
