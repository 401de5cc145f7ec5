import { expect, test } from "bun:test";
import { exponential } from "./backoff.ts";

test("waiting times double up to their bound, less a fifth at most", () => {
  const longest = exponential(100, 1000, () => 0);
  expect([1, 2, 3, 4, 5, 50, 5000].map(longest)).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
  const shortest = exponential(100, 1000, () => 1);
  expect([1, 4, 5].map(shortest)).toEqual([80, 640, 800]);
});
