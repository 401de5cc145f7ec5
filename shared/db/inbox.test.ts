import { afterAll, beforeAll, expect, test } from "bun:test";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { once } from "./inbox.ts";
import { mechanismMigrations } from "./migrate.ts";
import { withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "support", folders: [mechanismMigrations] });
});
afterAll(() => pg[Symbol.asyncDispose]());

const handle = (consumer: string, id: string) => withTx(pg.db, (tx) => once(tx, consumer, id));

test("an event is new once per consumer", async () => {
  expect(await handle("a", "evt_1")).toBe(true);
  expect(await handle("a", "evt_1")).toBe(false);
  expect(await handle("b", "evt_1")).toBe(true);
  expect(await handle("a", "evt_2")).toBe(true);
});

test("of ten deliveries at once, one is new", async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => handle("a", "evt_3")));
  expect(answers.filter(Boolean)).toHaveLength(1);
});

test("an event whose handling was rolled back is new again, also for one that waited for it", async () => {
  const started = Promise.withResolvers<void>();
  const fail = Promise.withResolvers<void>();
  const failing = withTx(pg.db, async (tx) => {
    await once(tx, "a", "evt_4");
    started.resolve();
    await fail.promise;
    throw new Error("no");
  });
  await started.promise;
  const waiting = handle("a", "evt_4");
  fail.resolve();
  expect(failing).rejects.toThrow("no");
  expect(await waiting).toBe(true);
});
