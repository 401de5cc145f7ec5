import type { AccountState } from "#services/billing/contract.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { Deletion } from "./workflows/deletion.ts";
import { lockedQueue } from "./workflows/deps.ts";
import { type Locked, waiting } from "./workflows/steps/lock.ts";

/** Keeps what billing said, unless something newer is known. */
export async function saveAccount(tx: Tx, state: AccountState): Promise<void> {
  await tx`
    insert into account as a (account_id, version, state)
    values (${state.accountId}, ${state.version}, ${tx.json(state)})
    on conflict (account_id) do update set
      version = excluded.version, state = excluded.state, updated_at = now()
    where a.version < excluded.version`;
}

export async function knowsAccount(tx: Tx, accountId: string): Promise<boolean> {
  const rows = await tx`select from account where account_id = ${accountId}`;
  return rows.length > 0;
}

/** What billing last said; others who reserve for this account wait until the transaction ends. */
export async function lockAccount(tx: Tx, accountId: string): Promise<AccountState> {
  const [row] = await tx<{ state: AccountState }[]>`
    select state from account where account_id = ${accountId} for update`;
  if (!row) throw new Error(`account ${accountId} is not known here`);
  return row.state;
}

export async function quotaUsed(tx: Tx, accountId: string): Promise<{ servers: number; memoryMiB: number }> {
  const [row] = await tx<{ servers: number; memory: number }[]>`
    select count(*)::int as servers, coalesce(sum(memory_mib), 0)::int as memory
    from quota where account_id = ${accountId}`;
  return { servers: row?.servers ?? 0, memoryMiB: row?.memory ?? 0 };
}

export async function insertQuota(
  tx: Tx,
  o: { instanceId: string; accountId: string; memoryMiB: number },
): Promise<void> {
  await tx`
    insert into quota (instance_id, account_id, memory_mib)
    values (${o.instanceId}, ${o.accountId}, ${o.memoryMiB})`;
}

export async function deleteQuota(tx: Tx, instanceId: string): Promise<void> {
  await tx`delete from quota where instance_id = ${instanceId}`;
}

/**
 * Takes one of `slots` clone slots of a storage, or takes over the one that the operation has; answers for how long the
 * operation has had it, undefined while all are taken. `holder` names who may give it back. In milliseconds, by the
 * database's clock, which all processes share.
 */
export async function takeCloneSlot(
  tx: Tx,
  o: { operationId: string; holder: string; storage: string; slots: number; leaseMs: number },
): Promise<number | undefined> {
  // Counting and inserting must not interleave with another's: one at a time per storage.
  await tx`select pg_advisory_xact_lock(hashtextextended(${`clone ${o.storage}`}, 0))`;
  const [row] = await tx<{ heldMs: number }[]>`
    insert into clone_slot as s (operation_id, holder, storage, lease_until)
    select ${o.operationId}, ${o.holder}, ${o.storage}, now() + ${o.leaseMs} * interval '1 millisecond'
    where ${o.slots} > (
      select count(*) from clone_slot
      where storage = ${o.storage} and lease_until > now() and operation_id <> ${o.operationId})
    on conflict (operation_id) do update set
      holder = excluded.holder, lease_until = excluded.lease_until, updated_at = now()
    returning extract(epoch from now() - taken_at)::float8 * 1000 as held_ms`;
  return row?.heldMs;
}

/** Gives back the slot that `holder` has taken last; one that was taken over since stays. */
export async function freeCloneSlot(tx: Tx, operationId: string, holder: string): Promise<void> {
  await tx`delete from clone_slot where operation_id = ${operationId} and holder = ${holder}`;
}

/** Gives back the slot of an operation that clones no more. */
export async function endCloneSlot(tx: Tx, operationId: string): Promise<void> {
  await tx`delete from clone_slot where operation_id = ${operationId}`;
}

export async function insertAgentToken(tx: Tx, operationId: string, token: string): Promise<void> {
  await tx`insert into agent_token (operation_id, token) values (${operationId}, ${token})`;
}

export async function readAgentToken(tx: Tx, operationId: string): Promise<string> {
  const [row] = await tx<{ token: string }[]>`
    select token from agent_token where operation_id = ${operationId}`;
  if (!row) throw new Error(`operation ${operationId} has no agent token any more`);
  return row.token;
}

export async function deleteAgentToken(tx: Tx, operationId: string): Promise<void> {
  await tx`delete from agent_token where operation_id = ${operationId}`;
}

/**
 * Forgets the stored answer (shared/db/idempotency) of a create whose operation has ended and which is older than
 * `olderThanMs`, has failed, or whose server was deleted since: asked for again, it is done again.
 */
export async function forgetCreate(
  tx: Tx,
  o: { scope: string; key: string; olderThanMs: number },
): Promise<void> {
  await tx`
    delete from idempotency i where i.scope = ${o.scope} and i.key = ${o.key} and (
      (
        i.created_at <= now() - ${o.olderThanMs} * interval '1 millisecond'
        and not exists (
          select from operation o
          where o.id = i.answer::jsonb #>> '{answer,operationId}' and o.finished_at is null)
      )
      or exists (
        select from operation o
        where o.id = i.answer::jsonb #>> '{answer,operationId}' and (
          o.status in ('failed', 'cancelled')
          or exists (
            select from operation d where d.instance_id = o.instance_id and d.type = 'delete-server'))))`;
}

export type Finding = { kind: "foreign_container"; subject: string; detail: Record<string, unknown> };

/** Notes what an operator should look at; seen again, it is counted. */
export async function noteFinding(tx: Tx, { kind, subject, detail }: Finding): Promise<void> {
  await tx`
    insert into finding as f (kind, subject, detail) values (${kind}, ${subject}, ${tx.json(detail)})
    on conflict (kind, subject) do update set
      detail = excluded.detail, seen = f.seen + 1, updated_at = now()`;
}

/**
 * What a deletion was begun with, and whether its answer to this key of the account is still stored (answers are not
 * kept as long as operations are). Undefined when no deletion has this id.
 */
export async function readDeletion(
  tx: Tx,
  o: { operationId: string; scope: string; key: string },
): Promise<(Deletion & { answered: boolean }) | undefined> {
  const [row] = await tx<{ state: Deletion; answered: boolean }[]>`
    select state, exists (
      select from idempotency where scope = ${o.scope} and key = ${o.key}) as answered
    from saga where operation_id = ${o.operationId} and type = 'delete-server'`;
  return row && { ...row.state, answered: row.answered };
}

/** The lock of an operation that nobody works on, and what there is to say of it. */
export type Waiting = Locked & { operationId: string; phase: string; message: string };

/**
 * Up to `limit` locks of operations that wait for a worker, by id from `after` on: of those that have not begun, and of
 * those that were given back or put off. A job that is dead keeps no lock.
 */
export async function readWaiting(
  tx: Tx,
  { after, limit }: { after: string; limit: number },
): Promise<Waiting[]> {
  const rows = await tx<(Omit<Waiting, keyof Locked> & { begun: boolean; state: Locked })[]>`
    select o.id as operation_id, o.phase, o.message, o.status <> 'queued' as begun, s.state
    from operation o join saga s on s.operation_id = o.id join job j on j.queue = ${lockedQueue} and j.key = o.id
    where o.finished_at is null and o.id > ${after} and j.died_at is null
      and (o.status = 'queued' or j.lease_until is null or j.lease_until < now())
    order by o.id limit ${limit}`;
  return rows.map(({ begun, state: { instanceId, fence, type }, ...row }) => ({
    operationId: row.operationId,
    instanceId,
    fence,
    type,
    ...(begun ? { phase: row.phase, message: row.message } : waiting),
  }));
}
