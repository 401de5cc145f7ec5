import type {
  Operation,
  OperationError,
  OperationStatus,
  OperationStep,
} from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";

export type NewOperation = {
  /** Its prefix names the service, see `newId`. */
  id: string;
  type: string;
  customerId: string;
  /** The server's public id, a vmid as text. */
  serverId?: string | undefined;
  instanceId?: string | undefined;
  /** `queued` by default. */
  status?: "queued" | "running";
  phase: string;
  /** A sentence for people. */
  message: string;
};

export type OperationPatch = {
  status?: OperationStatus;
  phase?: string;
  message?: string | undefined;
  serverId?: string | undefined;
  instanceId?: string | undefined;
  result?: Record<string, unknown> | undefined;
  error?: OperationError | undefined;
};

/** An operation, and whose it is. */
export type StoredOperation = { operation: Operation; customerId: string };

/** Stores an operation in the transaction that accepts the work. Rejects when the id is taken. */
export async function createOperation(tx: Tx, o: NewOperation): Promise<void> {
  const { id, type, customerId, serverId = null, instanceId = null, status = "queued", phase, message } = o;
  await tx`
    insert into operation (id, type, customer_id, server_id, instance_id, status, phase, message, started_at)
    values (${id}, ${type}, ${customerId}, ${serverId}, ${instanceId}, ${status}, ${phase}, ${message},
      case when ${status} = 'running' then now() end)`;
}

/**
 * Changes what is given and keeps the rest; the times follow from the status. False, and no change, when there is no
 * such operation or it has ended: the outcome of an operation is final.
 */
export async function updateOperation(tx: Tx, id: string, patch: OperationPatch): Promise<boolean> {
  const { status = null, phase = null, message = null, serverId = null, instanceId = null } = patch;
  const json = (value: object | undefined) => (value === undefined ? null : tx.json(value));
  const rows = await tx`
    update operation set
      status = coalesce(${status}, status),
      phase = coalesce(${phase}, phase),
      message = coalesce(${message}, message),
      server_id = coalesce(${serverId}, server_id),
      instance_id = coalesce(${instanceId}::uuid, instance_id),
      result = coalesce(${json(patch.result)}::jsonb, result),
      error = coalesce(${json(patch.error)}::jsonb, error),
      started_at = case when coalesce(${status}, status) <> 'queued' then coalesce(started_at, now()) end,
      finished_at = case when ${status} in ('succeeded', 'failed', 'cancelled') then now() end,
      updated_at = now()
    where id = ${id} and finished_at is null
    returning id`;
  return rows.length > 0;
}

type OperationRow = Omit<Operation, "startedAt" | "finishedAt" | "statusUrl" | "serverId" | "steps"> & {
  customerId: string;
  serverId: string | null;
  startedAt: Date | null;
  finishedAt: Date | null;
};
type StepRow = Omit<OperationStep, "startedAt" | "finishedAt" | "message"> & {
  message: string | null;
  startedAt: Date | null;
  finishedAt: Date | null;
};

/** One operation as clients see it, with the steps of its saga if it has one; undefined when there is none. */
export async function readOperation(tx: Tx, id: string): Promise<StoredOperation | undefined> {
  const [[row], steps] = await Promise.all([
    tx<OperationRow[]>`
      select id, type, customer_id, server_id, status, phase, message, started_at, finished_at, result, error
      from operation where id = ${id}`,
    tx<StepRow[]>`
      select name, status, message, started_at, finished_at from saga_step where operation_id = ${id} order by position`,
  ]);
  if (!row) return undefined;
  const { customerId, serverId, ...rest } = row;
  const operation: Operation = {
    ...rest,
    ...times(row),
    ...(steps.length === 0 ? {} : { steps: steps.map(stepOf) }),
    ...(serverId === null ? {} : { serverId }),
    statusUrl: `/api/operations/${id}`,
  };
  return { operation, customerId };
}

function stepOf({ name, status, message, ...row }: StepRow): OperationStep {
  return { name, status, ...times(row), ...(message === null ? {} : { message }) };
}

function times(row: { startedAt: Date | null; finishedAt: Date | null }) {
  return {
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}
