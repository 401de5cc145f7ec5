import { expect, test } from "bun:test";
import { newId, newInstanceId } from "./ids.ts";

test("ids carry their prefix, are unique and sort by time", async () => {
  const ids = Array.from({ length: 2_000 }, () => newId("prv"));
  expect(new Set(ids).size).toBe(2_000);
  for (const id of ids) expect(id).toMatch(/^prv_[0-9a-z]{26}$/);
  const early = ids[0] as string;
  while (newId("prv").slice(0, 14) === early.slice(0, 14))
    await new Promise((resolve) => setImmediate(resolve));
  expect(newId("prv") > early).toBe(true);
});

test("instance ids are uuids of version 7", () => {
  expect(newInstanceId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
