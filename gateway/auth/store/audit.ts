import type { AuditRecord } from "#shared/contract/audit.ts";
import type { Tx } from "#shared/db/connect.ts";

/** A line of the log as it is written; `at` in ISO form. Writing one that is there already changes nothing. */
export async function insertAudit(tx: Tx, record: AuditRecord): Promise<void> {
  const { details, at, ...rest } = record;
  await tx`
    insert into audit ${tx({ ...rest, at: new Date(at), details: tx.json(details) })}
    on conflict (id) do nothing`;
}

/** Notes with which HTTP status the request of a line ended. */
export async function updateAuditStatus(tx: Tx, id: string, status: number): Promise<void> {
  await tx`update audit set status = ${status}, updated_at = now() where id = ${id}`;
}

export type AuditRow = Omit<AuditRecord, "at"> & { at: Date; status: number | null };

export type AuditFilter = {
  /** Lines that this account acted in, was acted on, or owns the target of. */
  of?: string | undefined;
  action?: string | undefined;
  target?: string | undefined;
  /** Lines older than this one. */
  before?: { at: Date; id: string } | undefined;
  limit: number;
};

/**
 * Lines of the log, the newest first. What concerns one account is read by three indexes in the order of the answer, so
 * that it costs a page, however long the log is and however little of it is the account's.
 */
export async function listAudit(tx: Tx, f: AuditFilter): Promise<AuditRow[]> {
  const { of, action, target, before, limit } = f;
  const lines = (column?: "actor" | "target" | "customer_id") => tx`
    (select id, at, actor, via, action, target, customer_id, address, request_id, status, details
    from audit
    where ${column ? tx`${tx(column)} = ${of ?? null}` : tx`true`}
      ${action === undefined ? tx`` : tx`and action = ${action}`}
      ${target === undefined ? tx`` : tx`and target = ${target}`}
      ${before === undefined ? tx`` : tx`and (at, id) < (${before.at}, ${before.id})`}
    order by at desc, id desc
    limit ${limit})`;
  if (of === undefined) return await tx<AuditRow[]>`${lines()}`;
  return await tx<AuditRow[]>`
    select * from (
      ${lines("actor")} union ${lines("target")} union ${lines("customer_id")}
    ) as lines
    order by at desc, id desc
    limit ${limit}`;
}
