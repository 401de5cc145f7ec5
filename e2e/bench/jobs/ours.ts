// Our side of the comparison, in a process of its own under Bun: a worker as a service starts it.
import { connectDb } from "#shared/db/connect.ts";
import { mechanismMigrations, migrate } from "#shared/db/migrate.ts";
import { systemClock } from "#shared/process/clock.ts";
import { enqueueNow } from "#shared/queue/enqueue.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { answer } from "./scenarios.ts";

const db = connectDb({ url: process.env["BENCH_DATABASE_URL"] ?? "", schema: "bench", name: "bench" });
await migrate(db, [mechanismMigrations]);
const queue = "bench";
const ask = async (keys: string[]) => {
  await enqueueNow(
    db,
    queue,
    keys.map((key) => ({ key, payload: { key } })),
  );
};

await answer({
  send: (key) => ask([key]),
  sendAll: ask,
  work: async (limit, done) =>
    startWorker({
      db,
      queue,
      handle: async () => {},
      settled: done,
      concurrency: limit,
      leaseMs: 30_000,
      sweepMs: 5_000,
      maxAttempts: 5,
      backoffMs: () => 1_000,
      clock: systemClock,
      log: silentLogger,
    }),
  // Jobs that are done leave nothing behind.
  clear: async () => {},
});
await db.close();
