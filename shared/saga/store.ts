import type { OperationError, OperationStep } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";

export type SagaRow = {
  operationId: string;
  customerId: string;
  type: string;
  state: object;
  undoing: boolean;
  position: number;
  attempt: number;
  firstAttemptAt: Date | null;
  outcomeUnknown: boolean;
  error: OperationError | null;
  failedPosition: number | null;
  settledAt: Date | null;
  /** The names of the steps it was begun with, in order. */
  steps: string[];
};

export async function insertSaga(
  tx: Tx,
  o: { operationId: string; type: string; state: object; steps: readonly { name: string }[] },
): Promise<void> {
  await tx`
    insert into saga (operation_id, type, state)
    values (${o.operationId}, ${o.type}, ${tx.json(o.state)})`;
  const names = o.steps.map((step) => step.name);
  await tx`
    insert into saga_step (operation_id, position, name)
    select ${o.operationId}, n - 1, name
    from jsonb_array_elements_text(${tx.json(names)}::jsonb) with ordinality as s (name, n)`;
}

export async function readSaga(tx: Tx, operationId: string): Promise<SagaRow | undefined> {
  const [row] = await tx<SagaRow[]>`
    select s.*, o.customer_id, array(
      select name from saga_step t where t.operation_id = s.operation_id order by position
    ) as steps
    from saga s join operation o on o.id = s.operation_id where s.operation_id = ${operationId}`;
  return row;
}

type SagaPatch = Partial<Omit<SagaRow, "operationId" | "customerId" | "type" | "steps" | "error">> & {
  error?: OperationError;
};

export async function updateSaga(
  tx: Tx,
  operationId: string,
  { state, error, ...patch }: SagaPatch,
): Promise<void> {
  const columns = {
    ...patch,
    ...(state === undefined ? {} : { state: tx.json(state) }),
    ...(error === undefined ? {} : { error: tx.json(error) }),
    updatedAt: new Date(),
  };
  await tx`update saga set ${tx(columns)} where operation_id = ${operationId}`;
}

/** The times follow from the status: the first start is kept, an end is an end. */
export async function updateStep(
  tx: Tx,
  o: { operationId: string; position: number; status?: OperationStep["status"]; message?: string },
): Promise<void> {
  const { status = null, message = null } = o;
  await tx`
    update saga_step set
      status = coalesce(${status}, status),
      message = coalesce(${message}, message),
      started_at = coalesce(started_at, now()),
      finished_at = case
        when ${status}::text is null then finished_at
        when ${status} in ('done', 'undone', 'failed') then now() end,
      updated_at = now()
    where operation_id = ${o.operationId} and position = ${o.position}`;
}
