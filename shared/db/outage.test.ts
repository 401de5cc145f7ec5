import { afterAll, beforeAll, expect, test } from "bun:test";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { connectDb } from "./connect.ts";
import { single, withTx } from "./tx.ts";

let pg: TestPostgres;
beforeAll(async () => {
  pg = await postgresForTest({ schema: "billing" });
  await withTx(pg.db, (tx) => tx`create table written (who text)`);
});
afterAll(() => pg[Symbol.asyncDispose]());

const unavailable = { code: "service.unavailable", status: 503, retryable: true };

type Wire = { peer: Bun.Socket | undefined; early: Buffer[]; dead: boolean };
type Cable = { url: string; cut(): void; mend(): void; stop(): void };

/** A cable to the database. While it is cut, bytes vanish; a connection that lost some stays silent for ever. */
function cableToDatabase(): Cable {
  const target = new URL(pg.url);
  const open = new Set<Bun.Socket<Wire>>();
  let whole = true;
  const listener = Bun.listen<Wire>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(client) {
        open.add(client);
        client.data = { peer: undefined, early: [], dead: !whole };
        client.data.peer = await Bun.connect({
          hostname: target.hostname,
          port: Number(target.port),
          socket: {
            data: (_, bytes) => void (client.data.dead || client.write(bytes)),
            close: () => void client.end(),
          },
        });
        for (const bytes of client.data.early) client.data.peer.write(bytes);
      },
      data(client, bytes) {
        if (client.data.dead) return;
        if (client.data.peer) client.data.peer.write(bytes);
        else client.data.early.push(Buffer.from(bytes));
      },
      close(client) {
        open.delete(client);
        client.data.peer?.end();
      },
    },
  });
  const url = new URL(pg.url);
  url.port = String(listener.port);
  return {
    url: url.href,
    cut() {
      whole = false;
      for (const client of open) client.data.dead = true;
    },
    mend: () => void (whole = true),
    stop() {
      for (const client of open) client.terminate();
      listener.stop(true);
    },
  };
}

test("a port where nobody listens is service.unavailable at once, every time", async () => {
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const url = new URL(pg.url);
  url.port = String(free.port);
  free.stop(true);
  const db = connectDb({ url: url.href, schema: "billing", name: "test", max: 2 });
  for (let i = 0; i < 4; i++) expect(withTx(db, (tx) => tx`select 1`)).rejects.toMatchObject(unavailable);
  await db.close(0);
});

test("a server that accepts and says nothing is service.unavailable in bounded time, and works when it is back", async () => {
  const cable = cableToDatabase();
  cable.cut();
  const db = connectDb({ url: cable.url, schema: "billing", name: "test", max: 2, connectTimeoutMs: 200 });
  expect(withTx(db, (tx) => tx`select 1`)).rejects.toMatchObject(unavailable);
  expect(withTx(db, (tx) => tx`select 1`, { timeoutMs: 20 })).rejects.toMatchObject(unavailable);
  cable.mend();
  while ((await withTx(db, (tx) => tx`select 1`).catch(() => [])).length === 0);
  await db.close(0);
  cable.stop();
});

test("a network that goes away inside of transactions holds nobody, and not the next ones either", async () => {
  const cable = cableToDatabase();
  const db = connectDb({ url: cable.url, schema: "billing", name: "test", max: 2, connectTimeoutMs: 500 });
  const both = Promise.withResolvers<void>();
  let begun = 0;
  const sent = (who: string) =>
    withTx(
      db,
      async (tx) => {
        await tx`select 1`;
        if (++begun === 2) both.resolve();
        await both.promise;
        cable.cut();
        await tx`insert into written values (${who})`;
      },
      { timeoutMs: 150 },
    );
  expect(Promise.all([sent("a"), sent("b")])).rejects.toMatchObject(unavailable);
  cable.mend();
  // The two connections stay as silent as they were; nothing but their replacement lets this end.
  while ((await withTx(db, (tx) => tx`select 1`, { timeoutMs: 300 }).catch(() => [])).length === 0);
  expect([...(await withTx(db, (tx) => tx`select * from written`))]).toEqual([]);
  await db.close(0);
  cable.stop();
});

test("a transaction that was given up is rolled back when its connection answers, whatever it still sends", async () => {
  const db = pg.connect({ max: 1 });
  const released = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string>();
  // Connected before: the time below is the transaction's alone.
  await withTx(db, (tx) => tx`select 1`);
  const slow = withTx(
    db,
    async (tx) => {
      await tx`insert into written values ('slow')`;
      await released.promise;
      await tx`insert into written values ('late')`.then(
        () => late.resolve("written"),
        (error: unknown) => late.resolve(String(error)),
      );
    },
    { timeoutMs: 200 },
  );
  expect(slow).rejects.toMatchObject(unavailable);
  await withTx(db, async (tx) => {
    await tx`select 1`;
    released.resolve();
    expect(await late.promise).toContain("The transaction has ended");
  });
  expect([...(await withTx(db, (tx) => tx`select * from written`))]).toEqual([]);
});

test("all connections closed by the server: the next transactions open new ones", async () => {
  const db = pg.connect({ max: 3 });
  const ask = () => withTx(db, (tx) => tx`select 1 as one`);
  await Promise.all([ask(), ask(), ask()]);
  expect(await pg.cutConnections()).toBeGreaterThanOrEqual(1);
  for (let i = 0; i < 6; i++) expect([...(await ask())]).toEqual([{ one: 1 }]);
});

test("waiting for a free connection counts as time, and what waited too long never begins", async () => {
  const db = pg.connect({ max: 1 });
  let began = false;
  await withTx(db, async (tx) => {
    await tx`select 1`;
    const waiting = withTx(db, async () => void (began = true), { timeoutMs: 20 });
    expect(waiting).rejects.toMatchObject(unavailable);
  });
  // The driver serves in order: when this one has had the connection, the one that was given up has had its turn.
  await withTx(db, (tx) => tx`select 1`);
  expect(began).toBe(false);
});

test("a single statement that is cut off is service.unavailable, and the next ones have new connections", async () => {
  const db = pg.connect({ max: 2 });
  const sleeping = [1, 2].map(() => single(db, (sql) => sql`select pg_sleep(60)`).catch((e: unknown) => e));
  const busy = () =>
    withTx(
      pg.db,
      (tx) => tx`select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`,
    );
  while ((await busy()).length < 2);
  await pg.cutConnections();
  for (const error of await Promise.all(sleeping)) expect(error).toMatchObject(unavailable);
  for (let i = 0; i < 4; i++)
    expect([...(await single(db, (sql) => sql`select 1 as one`))]).toEqual([{ one: 1 }]);
});

test("single statements into a network that went away hold nobody for ever", async () => {
  const cable = cableToDatabase();
  const db = connectDb({ url: cable.url, schema: "billing", name: "test", max: 2, connectTimeoutMs: 500 });
  const ask = (timeoutMs: number) => single(db, (sql) => sql`select 1 as one`, { timeoutMs });
  await Promise.all([ask(5_000), ask(5_000)]);
  cable.cut();
  const asked = [1, 2, 3].map(() => ask(100).catch((error: unknown) => error));
  for (const error of await Promise.all(asked)) expect(error).toMatchObject(unavailable);
  cable.mend();
  // The two connections stay as silent as they were; nothing but their replacement lets this end.
  while ((await ask(300).catch(() => [])).length === 0);
  await db.close(0);
  cable.stop();
});
