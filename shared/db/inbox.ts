import type { Tx } from "./connect.ts";

/**
 * Notes in this transaction that `consumer` handles the event; false when it already has, and there is nothing to do.
 * While another transaction handles the same event, this waits for its end: for true if that one was rolled back.
 */
export async function once(tx: Tx, consumer: string, eventId: string): Promise<boolean> {
  const rows = await tx`
    insert into inbox (consumer, event_id) values (${consumer}, ${eventId})
    on conflict do nothing returning event_id`;
  return rows.length === 1;
}
