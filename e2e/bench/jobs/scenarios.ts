// What is measured, the same for every queue: this file runs in the process of each, under Bun and under Node.
import { createInterface } from "node:readline";

/** A queue under measurement, in its own process. */
export type Side = {
  /** Asks for one job in a transaction of its own. */
  send(key: string): Promise<void>;
  /** Asks for many jobs in one statement. */
  sendAll(keys: string[]): Promise<void>;
  /** Works with up to `limit` jobs in hand, by a handler that does nothing; `done` is told whose end was committed. */
  work(limit: number, done: (keys: string[]) => void): Promise<{ stop(): Promise<void> }>;
  /** Removes what earlier rounds left. */
  clear(): Promise<void>;
};

/**
 * `turns`: a job is asked for when the one before is done. `stream`: single jobs are asked for one after the other while
 * a worker does one at a time. `batches`: `batch` jobs are asked for at once, and `limit` may be in the worker's hands.
 */
export type Scenario = { kind: "turns" | "stream" | "batches"; jobs: number; batch: number; limit: number };

/** Latencies are from the asking to the committed end, in milliseconds. */
export type Measured = { perSecond: number; p50: number; p99: number };

export async function measure(side: Side, o: Scenario): Promise<Measured> {
  await side.clear();
  const asked = new Map<string, number>();
  const took: number[] = [];
  let awaited = o.jobs;
  let finish = () => {};
  const worker = await side.work(o.limit, (keys) => {
    const now = performance.now();
    for (const key of keys) took.push(now - (asked.get(key) ?? 0));
    if (took.length >= awaited) finish();
  });
  const finished = (count: number) =>
    new Promise<void>((resolve) => {
      awaited = count;
      finish = resolve;
      if (took.length >= count) resolve();
    });
  const begin = performance.now();
  for (let sent = 0; sent < o.jobs; sent += o.batch) {
    const keys = Array.from({ length: Math.min(o.batch, o.jobs - sent) }, (_, i) => `job ${sent + i}`);
    const now = performance.now();
    for (const key of keys) asked.set(key, now);
    if (o.kind === "batches") await side.sendAll(keys);
    else for (const key of keys) await side.send(key);
    if (o.kind === "turns") await finished(sent + keys.length);
  }
  await finished(o.jobs);
  const seconds = (performance.now() - begin) / 1000;
  await worker.stop();
  took.sort((a, b) => a - b);
  const share = (part: number) => took[Math.floor(part * (took.length - 1))] ?? 0;
  return { perSecond: o.jobs / seconds, p50: share(0.5), p99: share(0.99) };
}

/** Measures what it is told to, a line for a line, until its input ends. */
export async function answer(side: Side): Promise<void> {
  const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
  say({ runtime: process.versions["bun"] ? `Bun ${process.versions["bun"]}` : `Node ${process.version}` });
  for await (const line of createInterface({ input: process.stdin })) {
    const scenario: Scenario = JSON.parse(line);
    say(await measure(side, scenario));
  }
}
