import { expect, test } from "bun:test";
import type { Actor } from "#shared/contract/actor.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { verifiedTokens } from "./verified.ts";

const actor: Actor = { kind: "account", id: "acc_ada", role: "customer", via: "ses_1" };
const make = (maxEntries = 10) => {
  const clock = manualClock();
  const cache = verifiedTokens({ clock, maxMs: 30_000, maxEntries });
  const put = (token: string, session = "ses_1", until = Number.POSITIVE_INFINITY) =>
    cache.put(token, session, actor, until, cache.snapshot());
  return { clock, cache, put };
};

test("an entry is believed for 30 s at most, and never beyond its token", async () => {
  const { clock, cache, put } = make();
  put("long");
  put("short", "ses_1", clock.now() + 10_000);
  await clock.advance(9_999);
  expect(cache.get("short")).toEqual(actor);
  await clock.advance(1);
  expect(cache.get("short")).toBeUndefined();
  await clock.advance(19_999);
  expect(cache.get("long")).toEqual(actor);
  await clock.advance(1);
  expect(cache.get("long")).toBeUndefined();
  expect(cache.size()).toBe(0);
});

test("the entry that was not used for longest makes room", () => {
  const { cache, put } = make(2);
  put("a");
  put("b");
  cache.get("a");
  put("c");
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([actor, undefined, actor]);
});

test("the end of a session drops its tokens, and nobody else's", () => {
  const { cache, put } = make();
  put("a");
  put("b");
  put("c", "ses_2");
  cache.forget("ses_1");
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([undefined, undefined, actor]);
});

test("what was read before a session ended is not kept after it", () => {
  const { cache } = make();
  const snapshot = cache.snapshot();
  cache.forget("ses_1");
  cache.put("a", "ses_1", actor, Number.POSITIVE_INFINITY, snapshot);
  expect(cache.get("a")).toBeUndefined();
});
