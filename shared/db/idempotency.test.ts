import { afterAll, beforeAll, expect, test } from "bun:test";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { answerOnce } from "./idempotency.ts";
import { mechanismMigrations } from "./migrate.ts";
import { withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "provisioning", folders: [mechanismMigrations] });
  await withTx(pg.db, (tx) => tx`create table made (key text)`);
});
afterAll(() => pg[Symbol.asyncDispose]());

const create = (key: string, body: unknown, { scope = "acc_1 create", fail = false } = {}) =>
  withTx(pg.db, (tx) =>
    answerOnce(tx, { scope, key, body }, async () => {
      await tx`insert into made values (${key})`;
      if (fail) throw new Error("no");
      return { zeta: 1, alpha: [null, { id: crypto.randomUUID() }], at: new Date(0), gone: undefined };
    }),
  );
const made = async (key: string) =>
  (await withTx(pg.db, (tx) => tx`select from made where key = ${key}`)).length;

test("the same request again gets the same answer, byte for byte, and has no second effect", async () => {
  const first = await create("k1", { a: 1, b: { c: 2, d: 3 } });
  const again = await create("k1", { b: { d: 3, c: 2 }, a: 1 });
  expect([first.replayed, again.replayed]).toEqual([false, true]);
  expect(JSON.stringify(again.answer)).toBe(JSON.stringify(first.answer));
  expect(await made("k1")).toBe(1);
});

test("the same key with another body is refused, and in another scope it is another key", async () => {
  await create("k2", { list: [1, 2] });
  const other = { code: "idempotency.key_reused", status: 422 };
  expect(create("k2", { list: [2, 1] })).rejects.toMatchObject(other);
  expect(create("k2", undefined)).rejects.toMatchObject(other);
  expect((await create("k2", {}, { scope: "acc_2 create" })).replayed).toBe(false);
  expect(await made("k2")).toBe(2);
});

test("ten equal requests at once: one effect, ten equal answers", async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => create("k3", { a: 1 })));
  expect(new Set(answers.map(({ answer }) => JSON.stringify(answer))).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(await made("k3")).toBe(1);
});

test("a request that failed is forgotten: the key can be used again, with any body", async () => {
  expect(create("k4", { a: 1 }, { fail: true })).rejects.toThrow("no");
  expect((await create("k4", { a: 2 })).replayed).toBe(false);
  expect(await made("k4")).toBe(1);
});

const nothing = () =>
  withTx(pg.db, (tx) => answerOnce(tx, { scope: "s", key: "k", body: null }, async () => {}));

test("an answer of nothing is remembered as nothing", async () => {
  expect(await nothing()).toEqual({ answer: undefined, replayed: false });
  expect(await nothing()).toEqual({ answer: undefined, replayed: true });
});
