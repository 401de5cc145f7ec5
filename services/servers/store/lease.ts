import type { Db, Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Polled } from "../live/poller.ts";

export type Leasing = { pollerId: string; leaseMs: number };

/**
 * The round of one replica, in one transaction: says that it is alive, buries those that are not, gives up what is more than its
 * fair share, takes what nobody asks up to that share, and reads every server. What it costs grows with the changes, not
 * with the servers: a lease lives as long as its holder, whose one row is renewed. Times are the database's.
 */
export function shareOut(db: Db, { pollerId, leaseMs }: Leasing): Promise<Polled[]> {
  return withTx(db, async (tx) => {
    // One replica after the other: two at once would both find the same servers free.
    await tx`select pg_advisory_xact_lock(hashtextextended('poll_lease', 0))`;
    await tx`
      insert into poller (id, expires_at) values (${pollerId}, ${inMs(tx, leaseMs)})
      on conflict (id) do update set expires_at = excluded.expires_at, updated_at = now()`;
    await tx`delete from poller where expires_at <= now()`;
    const [{ share }] = await tx<[{ share: number }]>`
      select ceil((select count(*) from container_instance)::float8 / (select count(*) from poller))::int as share`;
    await tx`
      delete from poll_lease where instance_id in (
        select instance_id from poll_lease where poller_id = ${pollerId} order by instance_id offset ${share})`;
    await tx`
      insert into poll_lease (instance_id, poller_id)
      select i.instance_id, ${pollerId} from container_instance i
      where not exists (select from poll_lease l where l.instance_id = i.instance_id)
      order by i.instance_id
      limit greatest(0, ${share}::int - (select count(*)::int from poll_lease where poller_id = ${pollerId}))
      -- One that is being taken down at this moment needs nobody any more.
      for key share of i skip locked
      on conflict (instance_id) do nothing`;
    return readPolled(tx, pollerId);
  });
}

/** Lets the others take over at once what this replica asked. */
export async function leavePolling(db: Db, pollerId: string): Promise<void> {
  await withTx(db, (tx) => tx`delete from poller where id = ${pollerId}`);
}

const inMs = (tx: Tx, ms: number) => tx`now() + ${ms} * interval '1 millisecond'`;

async function readPolled(tx: Tx, pollerId: string): Promise<Polled[]> {
  type Row = Omit<Polled, "agent"> & { address: string; token: string };
  const rows = await tx<Row[]>`
    select i.instance_id, i.agent_address as address, i.agent_token as token,
      i.host_desired = 'stopped' as resting, coalesce(l.poller_id = ${pollerId}, false) as mine
    from container_instance i left join poll_lease l using (instance_id)`;
  return rows.map(({ address, token, ...polled }) => ({ ...polled, agent: { address, token } }));
}
