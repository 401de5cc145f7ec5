import type { Db, Tx } from "./connect.ts";
import { single, withTx } from "./tx.ts";

/** After so many refusals an event no longer holds up the later ones of its key. */
export const parkedAfter = 5;

export type Waiting = {
  id: string;
  position: number;
  subject: string;
  key: string;
  version: number;
  payload: unknown;
  attempts: number;
  createdAt: Date;
};

/** What became of a claimed event. `refused`: by the stream, while that was there. `deferred`: not its own fault. */
export type Outcome = { row: Waiting; kind: "published" | "refused" | "deferred"; reason?: string };

/**
 * Takes up to `batch` events in the order of their insertion and keeps others from them until `leaseEnd`. No cursor:
 * transactions commit in another order than they took their positions. An event whose predecessor on the same subject
 * is leased or backing off waits for it. Claims run one at a time, else two relays could split a key between them.
 */
export async function claim(db: Db, o: { now: Date; leaseEnd: Date; batch: number }): Promise<Waiting[]> {
  const rows = await withTx(db, async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`outbox ${db.schema}`}, 0))`;
    return await tx<Waiting[]>`
      update outbox set not_before = ${o.leaseEnd}, updated_at = now()
      where id in (
        select this.id from outbox this
        where this.published_at is null and this.not_before <= ${o.now} and not exists (
          select from outbox earlier
          where earlier.subject = this.subject and earlier.position < this.position
            and earlier.published_at is null and earlier.not_before > ${o.now} and earlier.attempts < ${parkedAfter})
        order by this.position limit ${o.batch})
      returning id, position, subject, key, version, payload, attempts, created_at`;
  });
  return rows.toSorted((a, b) => a.position - b.position);
}

/** Writes down the outcomes of a batch; `retryAt` says when a refused event is due again. */
export async function settle(
  db: Db,
  outcomes: Outcome[],
  o: { now: Date; retryAt(attempts: number): Date },
): Promise<void> {
  const ids = (kind: Outcome["kind"]) =>
    outcomes.filter((each) => each.kind === kind).map(({ row }) => row.id);
  const published = (tx: Tx) => tx`
    update outbox set published_at = ${o.now}, error = null, updated_at = now()
    where id = any(${ids("published")}::text[])`;
  if (outcomes.every(({ kind }) => kind === "published")) {
    await single(db, published);
    return;
  }
  await withTx(db, async (tx) => {
    await published(tx);
    await tx`
      update outbox set not_before = '-infinity', updated_at = now()
      where id = any(${ids("deferred")}::text[]) and published_at is null`;
    for (const { row, reason = null } of outcomes.filter((each) => each.kind === "refused")) {
      await tx`
        update outbox set attempts = attempts + 1, not_before = ${o.retryAt(row.attempts + 1)},
          error = ${reason}, updated_at = now()
        where id = ${row.id} and published_at is null`;
    }
  });
}

/**
 * Remembers which stream is published to. When it is another one than before, its storage was lost: the events
 * published since `since` become due again. Returns how many.
 */
export async function followStream(db: Db, created: string, since: Date): Promise<number> {
  return await withTx(db, async (tx) => {
    const first = await tx`
      insert into outbox_stream (id, stream_created) values (1, ${created}) on conflict do nothing returning id`;
    if (first.length > 0) return 0;
    const changed = await tx`
      update outbox_stream set stream_created = ${created}, updated_at = now()
      where stream_created <> ${created} returning id`;
    if (changed.length === 0) return 0;
    const again = await tx`
      update outbox set published_at = null, attempts = 0, not_before = '-infinity', updated_at = now()
      where published_at > ${since}`;
    return again.count;
  });
}
