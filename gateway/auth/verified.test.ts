import { expect, test } from "bun:test";
import { manualClock } from "#shared/testing/clock.ts";
import { type Account, verifiedCredentials } from "./verified.ts";

const holder = (via = "ses_1", id = "acc_ada"): { actor: Account } => ({
  actor: { kind: "account", id, role: "customer", via },
});
const make = (maxEntries = 10) => {
  const clock = manualClock();
  const cache = verifiedCredentials({ clock, maxMs: 30_000, maxEntries });
  const put = (token: string, session = "ses_1", until = Number.POSITIVE_INFINITY) =>
    cache.put(token, holder(session), until, cache.snapshot());
  return { clock, cache, put };
};

test("an entry is believed for 30 s at most, and never beyond its token", async () => {
  const { clock, cache, put } = make();
  put("long");
  put("short", "ses_1", clock.now() + 10_000);
  await clock.advance(9_999);
  expect(cache.get("short")).toEqual(holder());
  await clock.advance(1);
  expect(cache.get("short")).toBeUndefined();
  await clock.advance(19_999);
  expect(cache.get("long")).toEqual(holder());
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
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([holder(), undefined, holder()]);
});

test("the end of a session drops its tokens, that of an account all of its own, and nobody else's", () => {
  const { cache, put } = make();
  put("a");
  put("b");
  put("c", "ses_2");
  cache.put("d", holder("ses_3", "acc_bob"), Number.POSITIVE_INFINITY, cache.snapshot());
  const known = () => ["a", "b", "c", "d"].filter((token) => cache.get(token));
  cache.forget({ via: "ses_1" });
  expect(known()).toEqual(["c", "d"]);
  cache.forget({ accountId: "acc_ada" });
  expect(known()).toEqual(["d"]);
  cache.forget({});
  expect(known()).toEqual(["d"]);
});

test("what was read before a session ended is not kept after it", () => {
  const { cache } = make();
  const snapshot = cache.snapshot();
  cache.forget({ via: "ses_1" });
  cache.put("a", holder(), Number.POSITIVE_INFINITY, snapshot);
  expect(cache.get("a")).toBeUndefined();
});
