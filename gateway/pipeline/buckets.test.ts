import { describe, expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { buckets } from "./buckets.ts";

const three = (maxKeys = 100) => {
  const clock = manualClock();
  return { clock, ...buckets({ rate: { count: 3, perMs: 3_000 }, maxKeys, clock }) };
};

describe("a bucket", () => {
  test("gives what it holds at once, then one at a time, and says when", async () => {
    const { clock, ...bucket } = three();
    expect([bucket.take("a"), bucket.take("a"), bucket.take("a")]).toEqual([0, 0, 0]);
    expect(bucket.take("a")).toBe(1_000);
    await clock.advance(400);
    expect(bucket.take("a")).toBe(600);
    await clock.advance(600);
    expect([bucket.take("a"), bucket.take("a")]).toEqual([0, 1_000]);
  });

  test("is not filled beyond its size, however long it rests", async () => {
    const { clock, ...bucket } = three();
    bucket.take("a");
    await clock.advance(1_000_000);
    expect([bucket.take("a"), bucket.take("a"), bucket.take("a"), bucket.take("a")]).toEqual([
      0, 0, 0, 1_000,
    ]);
  });

  test("is nobody else's", () => {
    const bucket = three();
    for (let i = 0; i < 10; i++) bucket.take("a");
    expect(bucket.take("b")).toBe(0);
  });

  test("takes back what shall not count", () => {
    const bucket = three();
    for (let i = 0; i < 10; i++) {
      expect(bucket.take("a")).toBe(0);
      bucket.giveBack("a");
    }
    bucket.giveBack("unknown");
    expect([bucket.take("a"), bucket.take("a"), bucket.take("a"), bucket.take("a")]).toEqual([
      0, 0, 0, 1_000,
    ]);
  });
});

test("memory is bounded, and a key in use is not the one that is forgotten", () => {
  const bucket = three(10);
  for (let i = 0; i < 3; i++) bucket.take("busy");
  for (let i = 0; i < 1_000; i++) {
    bucket.take(`other-${i}`);
    if (i % 5 === 0) expect(bucket.take("busy")).toBe(1_000);
  }
  expect(bucket.size()).toBe(10);
});
