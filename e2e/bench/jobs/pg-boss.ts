// The peer, in a process of its own under Node. It is given its fastest way of working: jobs are fetched and completed by
// hand as soon as some are asked for. Its own worker issues the same two statements with more around them, and looks
// every half second or when it is notified. Its maintenance is off, and what it keeps of completed jobs is removed
// between the rounds.
import { PgBoss } from "pg-boss";
import { answer } from "./scenarios.ts";

const connectionString = process.env["BENCH_DATABASE_URL"] ?? "";
const boss = new PgBoss({ connectionString, max: 10, supervise: false, schedule: false });
await boss.start();
const queue = "bench";
await boss.createQueue(queue);
/** Tells the loop that there may be jobs. */
let ring = () => {};

async function work(limit: number, done: (keys: string[]) => void) {
  const stopping = new AbortController();
  let called = false;
  let wake = () => {};
  ring = () => {
    called = true;
    wake();
  };
  const working = (async () => {
    while (!stopping.signal.aborted) {
      called = false;
      const jobs = await boss.fetch<{ key: string }>(queue, { batchSize: limit });
      if (jobs.length === 0) {
        if (!called) await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      await boss.complete(
        queue,
        jobs.map((job) => job.id),
      );
      done(jobs.map((job) => job.data.key));
    }
  })();
  return {
    async stop() {
      stopping.abort();
      ring();
      await working;
    },
  };
}

await answer({
  send: async (key) => {
    await boss.send(queue, { key });
    ring();
  },
  sendAll: async (keys) => {
    await boss.insert(
      queue,
      keys.map((key) => ({ data: { key } })),
    );
    ring();
  },
  work,
  clear: async () => void (await boss.deleteAllJobs(queue)),
});
await boss.stop({ graceful: false });
