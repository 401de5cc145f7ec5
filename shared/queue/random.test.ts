import { expect, test } from "bun:test";
import { seeded } from "#shared/testing/random.ts";
import { queueForTest, until } from "./fixtures.ts";

const rounds = process.env["FULL"] ? 10 : 1;

// What must hold, whatever is asked for, fails, is put off, and whichever worker stops.
for (let round = 1; round <= rounds; round++) {
  test(`nothing asked for is forgotten and no key runs twice at once (seed ${round})`, async () => {
    const random = seeded(round);
    await using q = await queueForTest();
    const asked = new Map<string, number>();
    const seen = new Map<string, number>();
    const running = new Set<string>();
    const overlaps: string[] = [];
    let calm = false;
    const start = () =>
      q.worker(
        async ({ job, signal }) => {
          if (running.has(job.key)) overlaps.push(job.key);
          running.add(job.key);
          for (let turns = random() * 4; turns > 0; turns--)
            await new Promise((resolve) => setImmediate(resolve));
          running.delete(job.key);
          if (signal.aborted || (!calm && random() < 0.2)) throw new Error("as it happens");
          if (!calm && random() < 0.2) return { again: 1 };
          seen.set(job.key, Math.max(seen.get(job.key) ?? 0, Number(job.payload["n"])));
          return undefined;
        },
        { maxAttempts: 1000, backoffMs: () => 1, sweepMs: 10, concurrency: 3 },
      );
    let workers = [start(), start(), start()];
    for (let n = 1; n <= 150; n++) {
      const key = `k${Math.floor(random() * 6)}`;
      await q.ask(key, { payload: { n } });
      asked.set(key, n);
      if (random() < 0.2) await q.clock.advance(1);
      if (random() < 0.05) {
        await workers.shift()?.stop();
        workers = [...workers, start()];
      }
    }
    calm = true;
    await until(async () => {
      await q.clock.advance(10);
      return (await q.stats())?.depth === 0;
    });
    expect(overlaps).toEqual([]);
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(asked));
  }, 30_000);
}
