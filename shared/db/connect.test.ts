import { afterAll, beforeAll, expect, test } from "bun:test";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { connectDb } from "./connect.ts";
import { withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "files-proxy" });
});
afterAll(() => pg[Symbol.asyncDispose]());

test("columns are camelCase in rows and snake_case in SQL, and the inside of jsonb is left alone", async () => {
  const body = { snake_key: { deepKey: 1, deep_key: [{ a_b: 2 }] } };
  const row = await withTx(pg.db, async (tx) => {
    await tx`create table sample (server_id text, last_body jsonb)`;
    await tx`insert into sample ${tx({ serverId: "s", lastBody: body })}`;
    return (await tx`select server_id, last_body from sample`)[0];
  });
  expect(row).toEqual({ serverId: "s", lastBody: body });
});

test("values come back as their types", async () => {
  const at = new Date("2030-01-31T10:20:30.456Z");
  const [row] = await withTx(
    pg.db,
    (tx) => tx`
      select ${at}::timestamptz as at, '2030-01-31'::date as day, 5::int8 as small, 9007199254740993::int8 as large,
        count(*) as counted, 1.10::numeric as exact, ${["a", 'b"c']}::text[] as names, ${tx.json([1, "x", null])}::jsonb as list,
        null as nothing, ${tx.json("text")}::jsonb as text, true as yes, '\\x01ff'::bytea as bytes`,
  );
  expect(row).toEqual({
    at,
    day: "2030-01-31",
    small: 5,
    large: 9007199254740993n,
    counted: 1,
    exact: "1.10",
    names: ["a", 'b"c'],
    list: [1, "x", null],
    nothing: null,
    text: "text",
    yes: true,
    bytes: Buffer.from([1, 255]),
  });
});

test("a session has the service's schema alone, its name and its limits", async () => {
  const db = pg.connect({ name: "reader", statementTimeoutMs: 1_234, lockTimeoutMs: 321 });
  const [row] = await withTx(
    db,
    (tx) => tx`
      select current_schemas(false)::text as path, current_setting('application_name') as name,
        current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
        current_setting('idle_in_transaction_session_timeout') as idle`,
  );
  expect(row).toEqual({
    path: "{files_proxy}",
    name: "reader",
    statement: "1234ms",
    lock: "321ms",
    idle: "30s",
  });
});

test("a name that is no service's is refused", () => {
  expect(() => connectDb({ url: pg.url, schema: 'a"; drop', name: "x" })).toThrow("not a service name");
});

test("after close, transactions are refused", async () => {
  const db = pg.connect();
  await withTx(db, (tx) => tx`select 1`);
  await db.close();
  expect(withTx(db, (tx) => tx`select 1`)).rejects.toMatchObject({ code: "service.unavailable" });
});
