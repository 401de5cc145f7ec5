import { afterEach, beforeEach, expect, test } from "bun:test";
import { z } from "zod";
import type { EventDef } from "#shared/contract/define.ts";
import { manualClock, type ManualClock } from "#shared/testing/clock.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { mechanismMigrations } from "./migrate.ts";
import { emit } from "./outbox.ts";
import { type Publisher, type Relay, startRelay } from "./relay.ts";
import { parkedAfter } from "./relay-store.ts";
import { withTx } from "./tx.ts";

const event = {
  subject: "evt.backups.v1.backup.ready",
  summary: "A backup can be restored",
  data: z.object({ size: z.int() }),
};

type Stored = { subject: string; id: string; body: Record<string, unknown> };

/** A stream in memory that stores an id once, as JetStream does, and can be broken on command. */
function stream() {
  const state = {
    created: "first",
    stored: [] as Stored[],
    /** Every publish that reached it, repeated ones too. */
    received: [] as string[],
    refuse: (_id: string): string | undefined => undefined,
    away: false,
    asked: 0,
  };
  const publisher: Publisher = {
    async publish(subject, id, body) {
      if (state.away) throw new Error("away");
      const reason = state.refuse(id);
      if (reason) throw new Error(reason);
      state.received.push(id);
      if (!state.stored.some((each) => each.id === id))
        state.stored.push({ subject, id, body: JSON.parse(body) });
      return { seq: state.stored.length };
    },
    async streamCreated() {
      state.asked++;
      if (state.away) throw new Error("away");
      return state.created;
    },
  };
  return Object.assign(state, { publisher });
}

let pg: TestPostgres;
let clock: ManualClock;
let target: ReturnType<typeof stream>;
let relays: Relay[];

beforeEach(async () => {
  pg = await postgresForTest({ schema: "backups", folders: [mechanismMigrations] });
  clock = manualClock();
  target = stream();
  relays = [];
});
afterEach(async () => {
  await Promise.all(relays.map((each) => each.stop()));
  await pg[Symbol.asyncDispose]();
});

function relay(o: Partial<Parameters<typeof startRelay>[0]> = {}): Relay {
  const started = startRelay({ db: pg.db, publisher: target.publisher, clock, log: silentLogger, ...o });
  relays.push(started);
  return started;
}

const put = (key: string, version: number, size = version) =>
  withTx(pg.db, (tx) => emit(tx, event, { key, version, data: { size } }));

/** How many events are not published; `parked` are those that no later one waits for any more. */
const backlog = async () =>
  (
    await withTx(
      pg.db,
      (tx) => tx<[{ waiting: number; parked: number }]>`
        select count(*) as waiting, count(*) filter (where attempts >= ${parkedAfter}) as parked
        from outbox where published_at is null`,
    )
  )[0];
const waiting = async () => (await backlog()).waiting;

/** Resolves when the relays sleep and `done` holds. */
async function idle(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done()) || clock.sleepers() < relays.length) await new Promise((r) => setImmediate(r));
}
const versions = (key: string) =>
  target.stored.filter((each) => each.body.key === key).map((each) => each.body.version);

test("a committed event is published with its id, subject and full body, without waiting for a sweep", async () => {
  relay();
  await idle(() => target.asked > 0);
  const id = await put("b1", 3, 42);
  await idle(() => target.stored.length === 1);
  expect(target.stored).toEqual([
    {
      subject: "evt.backups.v1.backup.ready.b1",
      id,
      body: { id, key: "b1", version: 3, at: expect.any(String), data: { size: 42 } },
    },
  ]);
});

test("an event of a transaction that was rolled back is never published", async () => {
  relay();
  const failed = withTx(pg.db, async (tx) => {
    await emit(tx, event, { key: "b1", version: 1, data: { size: 1 } });
    throw new Error("no");
  });
  expect(failed).rejects.toThrow("no");
  await put("b2", 1);
  await idle(() => target.stored.length > 0);
  expect(target.stored.map((each) => each.body.key)).toEqual(["b2"]);
});

test("data that does not match the event, and a key that is no token, are refused", async () => {
  const emitted = withTx(pg.db, async (tx) => {
    await emit<EventDef>(tx, event, { key: "a", version: 1, data: { size: "x" } });
  });
  expect(emitted).rejects.toThrow();
  for (const key of ["a.b", "", "*", "a b", ">"]) expect(put(key, 1)).rejects.toThrow("not a key");
  expect(put("a", 1.5)).rejects.toThrow("not a version");
  expect(await waiting()).toBe(0);
});

test("a transaction that took its place first and commits last is published too", async () => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const slow = withTx(pg.db, async (tx) => {
    await emit(tx, event, { key: "slow", version: 1, data: { size: 1 } });
    begun.resolve();
    await finish.promise;
  });
  await begun.promise;
  relay();
  await put("fast", 1);
  await idle(() => versions("fast").length === 1);
  expect(versions("slow")).toEqual([]);
  finish.resolve();
  await slow;
  await idle(() => versions("slow").length === 1);
});

test("a relay that dies between publishing and marking: the event comes again under the same id", async () => {
  const id = await put("b1", 1);
  const lost = withTx(pg.db, (tx) => tx`select 1`).then(() => new Error("died"));
  const dying: Publisher = {
    ...target.publisher,
    async publish(subject, eventId, body) {
      await target.publisher.publish(subject, eventId, body);
      // Nothing can be marked any more: the relay's connections are gone for good.
      await dyingDb.close(0);
      throw await lost;
    },
  };
  const dyingDb = pg.connect();
  const first = startRelay({ db: dyingDb, publisher: dying, clock, log: silentLogger, leaseMs: 10_000 });
  while (target.received.length === 0) await new Promise((r) => setImmediate(r));
  await first.stop();
  expect(await waiting()).toBe(1);

  relay({ leaseMs: 10_000 });
  await idle(() => target.asked > 1);
  expect(target.received).toEqual([id]); // still leased to the dead one
  await clock.advance(10_000);
  await idle(() => target.received.length === 2);
  expect(target.received).toEqual([id, id]);
  expect(target.stored).toHaveLength(1);
  await idle(async () => (await waiting()) === 0);
});

test("a stream that was made anew gets what was published within the retention again, and only that", async () => {
  relay({ retentionMs: 60_000, sweepMs: 1_000 });
  await put("old", 1);
  await idle(async () => versions("old").length === 1 && (await waiting()) === 0);
  await clock.advance(61_000);
  await put("young", 1);
  await put("young", 2);
  await idle(async () => versions("young").length === 2 && (await waiting()) === 0);
  target.stored = [];
  target.created = "second";
  await clock.advance(1_000);
  await idle(async () => target.stored.length === 2 && (await waiting()) === 0);
  expect(versions("young")).toEqual([1, 2]);
  expect(versions("old")).toEqual([]);
});

test("a refused event holds up its own key for a while and others not at all", async () => {
  const poison = await put("poison", 1);
  await put("poison", 2);
  await put("good", 1);
  target.refuse = (id) => (id === poison ? "too large" : undefined);
  relay({ sweepMs: 1_000 });
  await idle(() => versions("good").length === 1);
  expect(await backlog()).toEqual({ waiting: 2, parked: 0 });
  expect(versions("poison")).toEqual([]);

  for (let second = 0; second < 40 && versions("poison").length === 0; second++) {
    await clock.advance(1_000);
    await idle(() => true);
  }
  expect(versions("poison")).toEqual([2]);
  await idle(async () => (await waiting()) === 1);
  expect(await backlog()).toEqual({ waiting: 1, parked: 1 });

  target.refuse = () => undefined;
  await clock.advance(5 * 60_000);
  await idle(async () => (await waiting()) === 0);
  expect(versions("poison")).toEqual([2, 1]);
});

test("an outage of the stream is no event's fault: all are published in order when it is back", async () => {
  target.away = true;
  relay({ sweepMs: 1_000, batch: 3 });
  for (let version = 1; version <= 3; version++) await put("b1", version);
  for (let i = 0; i < 20; i++) {
    await clock.advance(1_000);
    await idle(() => true);
  }
  expect(await backlog()).toEqual({ waiting: 3, parked: 0 });
  target.away = false;
  await clock.advance(1_000);
  await idle(() => versions("b1").length === 3);
  expect(versions("b1")).toEqual([1, 2, 3]);
});

test("the stream going away halfway through a batch counts against no event", async () => {
  const publish = target.publisher.publish.bind(target.publisher);
  target.publisher.publish = async (subject, id, body) => {
    const answer = await publish(subject, id, body);
    if (target.stored.length === 2) target.away = true;
    return answer;
  };
  for (let version = 1; version <= 5; version++) await put("b1", version);
  relay({ sweepMs: 1_000, batch: 2 });
  await idle(() => target.away);
  const attempts = await withTx(pg.db, (tx) => tx`select from outbox where attempts > 0`);
  expect(attempts.length).toBe(0);
  target.publisher.publish = publish;
  target.away = false;
  await clock.advance(1_000);
  await idle(() => versions("b1").length === 5);
  expect(versions("b1")).toEqual([1, 2, 3, 4, 5]);
});

test("several relays share the work: every event once, each key in order", async () => {
  const keys = ["a", "b", "c", "d"];
  for (let version = 1; version <= 25; version++) for (const key of keys) await put(key, version);
  for (let i = 0; i < 3; i++) relay({ db: pg.connect({ max: 2 }), batch: 7, leaseMs: 3_600_000 });
  while ((await waiting()) > 0) await clock.advance(1_000);
  expect(target.received).toHaveLength(100);
  for (const key of keys) expect(versions(key)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
});
