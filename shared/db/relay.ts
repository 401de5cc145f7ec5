import { type EventMessage, eventsKeptMs } from "#shared/bus/events.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Db } from "./connect.ts";
import { onEmit } from "./outbox.ts";
import { claim, followStream, type Outcome, parkedAfter, settle, type Waiting } from "./relay-store.ts";

/** The stream, as a relay needs it. */
export type Publisher = {
  /** Resolves when the event is stored; an `id` that was stored shortly before is not stored again. */
  publish(subject: string, id: string, body: string): Promise<{ seq: number }>;
  /** When the stream was made: another answer than last time means that its storage was lost. */
  streamCreated(): Promise<string>;
};

export type Relay = {
  /** Ends after the batch in hand. */
  stop(): Promise<void>;
};

export type RelayOptions = {
  db: Db;
  publisher: Publisher;
  clock: Clock;
  log: Logger;
  /** How often the outbox and the stream are looked at without being woken. */
  sweepMs?: number;
  batch?: number;
  /**
   * How long a batch is left to its relay. After a crash of either the process or the database in the middle of one, its
   * events wait for so long until they are published again, with the same ids: a batch that only takes long is none the
   * worse for it.
   */
  leaseMs?: number;
  /** How far back events are published again into a stream that lost them. */
  retentionMs?: number;
};

/**
 * Brings the outbox to the stream: each event at least once, under its own id, so that the stream stores it once. Any
 * number of relays may run on one schema. Events of one subject keep their order, unless the stream refuses one: that
 * one is tried again with growing pauses and, after some refusals, no longer waited for.
 */
export function startRelay(options: RelayOptions): Relay {
  const { db, clock, log } = options;
  const o = { ...defaults, ...options };
  const stopping = new AbortController();
  let nap = new AbortController();
  const wake = () => nap.abort();
  const round = rounds(o, stopping.signal);

  const run = async () => {
    let away = false;
    while (!stopping.signal.aborted) {
      // Made before the look at the outbox: a wake-up that comes during it makes the sleep after it end at once.
      nap = new AbortController();
      try {
        await round();
        if (away) log.info({}, "the outbox is published again");
        away = false;
      } catch (err) {
        // Said once: an outage of hours would otherwise fill the log with one line a second.
        if (!away) log.warn({ err }, "the outbox cannot be published; trying again");
        away = true;
      }
      if (!stopping.signal.aborted) await clock.sleep(o.sweepMs, nap.signal);
    }
  };
  const off = onEmit(db, wake);
  const done = run();
  return {
    async stop() {
      off();
      stopping.abort();
      wake();
      await done;
    },
  };
}

const defaults = { sweepMs: 1_000, batch: 100, leaseMs: 10_000, retentionMs: eventsKeptMs };

type Settings = typeof defaults & RelayOptions;

/** One look at the outbox, as a function that remembers when the stream was looked at. */
function rounds(o: Settings, stopping: AbortSignal): () => Promise<void> {
  const { db, clock, publisher, log } = o;
  let followed = Number.NEGATIVE_INFINITY;
  return async () => {
    if (clock.now() - followed >= o.sweepMs) {
      const since = new Date(clock.now() - o.retentionMs);
      const again = await followStream(db, await publisher.streamCreated(), since);
      if (again > 0) log.warn({ events: again }, "the stream is new: events are published again");
      followed = clock.now();
    }
    for (let full = true; full && !stopping.aborted;) full = (await publishBatch(o)) === o.batch;
  };
}

/** Claims, publishes and settles one batch; returns its size. Rejects when the stream is away. */
async function publishBatch({
  db,
  clock,
  publisher,
  log,
  batch,
  leaseMs,
  sweepMs,
}: Settings): Promise<number> {
  const leaseEnd = new Date(clock.now() + leaseMs);
  const rows = await claim(db, { now: new Date(clock.now()), leaseEnd, batch });
  if (rows.length === 0) return 0;
  const bySubject = Map.groupBy(rows, (row) => row.subject);
  const failures: unknown[] = [];
  const outcomes = (
    await Promise.all(
      [...bySubject.values()].map((group) =>
        publishInOrder(publisher, group, (error) => failures.push(error)),
      ),
    )
  ).flat();
  // A refusal counts against the event only while the stream is there; an outage is no event's fault.
  const away = failures.length > 0 && !(await isThere(publisher));
  if (away) for (const outcome of outcomes) if (outcome.kind === "refused") outcome.kind = "deferred";
  for (const { row, kind, reason } of outcomes) {
    if (kind !== "refused" || row.attempts + 1 !== parkedAfter) continue;
    log.error(
      { event: row.id, subject: row.subject, reason },
      "the stream keeps refusing an event; later ones pass it",
    );
  }
  const now = clock.now();
  const retryAt = (attempts: number) => new Date(now + Math.min(sweepMs * 2 ** (attempts - 1), maxPauseMs));
  await settle(db, outcomes, { now: new Date(now), retryAt });
  if (away) throw failures[0];
  return rows.length;
}

const maxPauseMs = 5 * 60_000;

/** Publishes the events of one subject one after the other; what follows a failure is left for later. */
async function publishInOrder(
  publisher: Publisher,
  rows: Waiting[],
  failed: (error: unknown) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let blocked = false;
  for (const row of rows) {
    if (blocked) {
      outcomes.push({ row, kind: "deferred" });
      continue;
    }
    try {
      await publisher.publish(row.subject, row.id, bodyOf(row));
      outcomes.push({ row, kind: "published" });
    } catch (error) {
      failed(error);
      outcomes.push({ row, kind: "refused", reason: String(error).slice(0, 500) });
      blocked = row.attempts + 1 < parkedAfter;
    }
  }
  return outcomes;
}

function bodyOf({ id, key, version, payload, createdAt }: Waiting): string {
  const message: EventMessage = { id, key, version, at: createdAt.toISOString(), data: payload };
  return JSON.stringify(message);
}

async function isThere(publisher: Publisher): Promise<boolean> {
  return await publisher.streamCreated().then(
    () => true,
    () => false,
  );
}
