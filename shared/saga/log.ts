// The saga's log. Every function here runs in a fenced transaction, together with the operation's row: what a customer
// sees is what a successor would resume from.
import type { OperationError } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { updateOperation } from "./operation.ts";
import { type Saga, type Step, titleOf } from "./saga.ts";
import { readSaga, type SagaRow, updateSaga, updateStep } from "./store.ts";

export type AnySaga<D> = Saga<D, object>;
export type AnyStep<D> = Step<D, object>;
/** The step to try next, or why there is none. */
export type StepTurn<D> = { kind: "step"; saga: AnySaga<D>; step: AnyStep<D>; row: SagaRow };
export type Turn<D> = StepTurn<D> | { kind: "ended" } | { kind: "undefined"; what: string };

const untried = { attempt: 0, firstAttemptAt: null, outcomeUnknown: false };

/** Decides what comes next and notes that it begins; settles the operation when nothing comes next. */
export async function nextTurn<D>(
  tx: Tx,
  o: { sagas: ReadonlyMap<string, AnySaga<D>>; operationId: string; now: number },
): Promise<Turn<D>> {
  const { operationId } = o;
  const row = await readSaga(tx, operationId);
  if (!row || row.settledAt) return { kind: "ended" };
  const saga = o.sagas.get(row.type);
  if (!saga) return { kind: "undefined", what: `saga ${row.type}` };
  const name = row.steps[row.position];
  if (name === undefined) {
    await settleSaga(tx, saga, row);
    return { kind: "ended" };
  }
  const step = saga.steps.find((each) => each.name === name);
  if (!step) return { kind: "undefined", what: `step ${name} of saga ${row.type}` };
  const { undoing, position } = row;
  const attempt = row.attempt + 1;
  const firstAttemptAt = row.firstAttemptAt ?? new Date(o.now);
  // Sent together: one round trip.
  await Promise.all([
    updateSaga(tx, operationId, { attempt, firstAttemptAt }),
    updateStep(tx, { operationId, position, status: undoing ? "undoing" : "running" }),
    updateOperation(tx, operationId, {
      status: row.outcomeUnknown ? "unknown" : "running",
      phase: undoing ? `undo:${name}` : name,
      // A later try goes on showing why there had to be one.
      message: attempt > 1 ? undefined : headline(step, undoing),
    }),
  ]);
  return { kind: "step", saga, step, row: { ...row, attempt, firstAttemptAt } };
}

/** What the operation says while the step is under way. */
export function headline(step: { name: string; title?: string }, undoing: boolean): string {
  return undoing ? `Undoing: ${titleOf(step)}` : titleOf(step);
}

/** The step's effect, or its reversal, is in the world. */
export async function logEnd<D>(tx: Tx, saga: AnySaga<D>, row: SagaRow, found: object): Promise<void> {
  const { operationId, position, undoing } = row;
  if (undoing) {
    const status = position === row.failedPosition ? "failed" : "undone";
    await updateStep(tx, { operationId, position, status });
    return updateSaga(tx, operationId, { ...untried, position: position - 1 });
  }
  const state = { ...row.state, ...found };
  await Promise.all([
    updateStep(tx, { operationId, position, status: "done" }),
    updateSaga(tx, operationId, { ...untried, state, position: position + 1 }),
    saga.server && updateOperation(tx, operationId, saga.server(state)),
  ]);
}

/** There will be another try. */
export async function logRetry(
  tx: Tx,
  row: SagaRow,
  o: { unknown: boolean; message: string },
): Promise<void> {
  const { operationId, position } = row;
  await updateSaga(tx, operationId, { outcomeUnknown: o.unknown });
  await updateStep(tx, { operationId, position, message: o.message });
  await updateOperation(tx, operationId, { status: o.unknown ? "unknown" : "running", message: o.message });
}

/** Turns round. The step that failed is undone as well: it may have had its effect. */
export async function unwind(tx: Tx, row: SagaRow, error: OperationError): Promise<void> {
  const { operationId, position } = row;
  await updateSaga(tx, operationId, { ...untried, undoing: true, error, failedPosition: position });
  await updateStep(tx, { operationId, position, status: "failed", message: error.message });
}

async function settleSaga<D>(tx: Tx, saga: AnySaga<D>, row: SagaRow): Promise<void> {
  const { operationId, customerId, state, undoing, error } = row;
  const status = undoing ? "failed" : "succeeded";
  await updateOperation(tx, operationId, {
    status,
    phase: status,
    message: error?.message ?? "Done",
    result: undoing ? undefined : saga.result?.(state),
    error: error ?? undefined,
  });
  await updateSaga(tx, operationId, { settledAt: new Date() });
  await saga.onSettled?.(tx, { operationId, customerId, state, status, ...(error ? { error } : {}) });
}
