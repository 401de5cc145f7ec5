import type { Db, Tx } from "./connect.ts";
import { withTx } from "./tx.ts";

const step = 1_000;

/** Deletes what is older than anything that may still be asked for; in small steps, so that nobody waits for long. */
export async function purge(
  db: Db,
  o: { publishedBefore: Date; inboxAgeMs: number; idempotencyAgeMs: number },
): Promise<void> {
  await repeat(db, async (tx) => {
    const old = await tx`
      delete from outbox where id in (select id from outbox where published_at < ${o.publishedBefore} limit ${step})`;
    return old.count;
  });
  const ages = { inbox: o.inboxAgeMs, idempotency: o.idempotencyAgeMs };
  for (const [table, ageMs] of Object.entries(ages)) {
    await repeat(db, async (tx) => {
      const old = await tx`
        delete from ${tx(table)} where ctid = any(array(
          select ctid from ${tx(table)} where created_at < now() - ${ageMs} * interval '1 millisecond' limit ${step}))`;
      return old.count;
    });
  }
}

async function repeat(db: Db, deleteSome: (tx: Tx) => Promise<number>): Promise<void> {
  while ((await withTx(db, deleteSome)) === step);
}
