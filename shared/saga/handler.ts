import type { OperationError } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { exponential } from "#shared/queue/backoff.ts";
import type { Run } from "#shared/queue/fence.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { judge, publicError } from "./failure.ts";
import {
  type AnySaga,
  type AnyStep,
  headline,
  logEnd,
  logRetry,
  nextTurn,
  type StepTurn,
  unwind,
} from "./log.ts";
import { updateOperation } from "./operation.ts";
import { defaultGiveUpAfterMs, type StepContext } from "./saga.ts";
import { type SagaRow, updateStep } from "./store.ts";

export type SagaHandlerOptions = {
  clock: Clock;
  log: Logger;
  /** Milliseconds to wait after try 1, 2, 3 … of a step; 1 s doubled up to 30 s by default. */
  backoffMs?: (attempt: number) => number;
  /** When a saga that this version does not know is looked at again, in milliseconds. */
  undefinedAfterMs?: number;
};

/**
 * The handler of a queue whose jobs are sagas; a job's key is its operation's id. It resumes from the log, so it does
 * not matter which worker goes on or how the last one ended. A job that it cannot do because the saga, or one of its
 * steps, is not among `sagas` is put off and its operation left as it is: another version of the service may know it.
 */
export function sagaHandler<D>(
  sagas: readonly AnySaga<D>[],
  deps: D,
  o: SagaHandlerOptions,
): (run: Run) => Promise<void | { again: number }> {
  const byType = new Map(sagas.map((saga) => [saga.type, saga]));
  return async (run) => {
    const operationId = run.job.key;
    const log = o.log.child({ operationId });
    /** Writes what has ended and begins what comes next, in one transaction. */
    const proceed = (end?: (tx: Tx) => Promise<unknown>) =>
      run.fenced(async (tx) => {
        await end?.(tx);
        return nextTurn(tx, { sagas: byType, operationId, now: o.clock.now() });
      });
    let turn = await proceed();
    while (turn.kind === "step") {
      const { saga, row } = turn;
      const outcome = await takeTurn(run, turn, { ...o, log, deps });
      if ("again" in outcome) return outcome;
      if ("failure" in outcome) turn = await proceed((tx) => unwind(tx, row, outcome.failure));
      else turn = await proceed((tx) => logEnd(tx, saga, row, outcome.found));
    }
    if (turn.kind === "ended") return undefined;
    log.error({ what: turn.what }, "this version does not know a saga that is under way");
    return { again: o.undefinedAfterMs ?? 60_000 };
  };
}

type Outcome = { found: object } | { failure: OperationError } | { again: number };

/** Does or undoes one step, outside of any transaction. Rejects when the run is over. */
async function takeTurn<D>(
  run: Run,
  { step, row }: StepTurn<D>,
  { clock, backoffMs = exponential(1000, 30_000), deps, ...o }: SagaHandlerOptions & { deps: D },
): Promise<Outcome> {
  const log = o.log.child({ step: step.name, attempt: row.attempt, undoing: row.undoing });
  const context = contextOf(run, { row, deps, log });
  try {
    const found = row.undoing ? await step.undo(context) : await step.do(context);
    return { found: found ?? {} };
  } catch (error) {
    // Told to end, or fenced out: what the step threw is an echo of that.
    if (run.signal.aborted) throw error;
    const { verdict, message, leftMs } = assess(error, row, step, clock.now());
    if (verdict === "unwind") {
      log.error({ err: error }, "a step failed; the saga unwinds");
      return { failure: publicError(error) };
    }
    log.warn({ err: error, verdict }, "a step will be tried again");
    await run.fenced((tx) => logRetry(tx, row, { unknown: verdict === "unknown", message }));
    return { again: Math.min(backoffMs(row.attempt), leftMs) };
  }
}

function assess<D>(error: unknown, row: SagaRow, step: AnyStep<D>, now: number) {
  const { undoing, outcomeUnknown: wasUnknown } = row;
  const giveUpAfterMs = step.giveUpAfterMs ?? defaultGiveUpAfterMs;
  const sinceMs = now - (row.firstAttemptAt?.getTime() ?? now);
  const verdict = judge(error, { undoing, wasUnknown, sinceMs, giveUpAfterMs });
  const next = verdict === "unknown" ? "looking again" : "trying again";
  const message = `${headline(step, undoing)}: ${publicError(error).message}; ${next}`;
  return { verdict, message, leftMs: undoing ? Infinity : giveUpAfterMs - sinceMs };
}

function contextOf<D>(run: Run, o: { row: SagaRow; deps: D; log: Logger }): StepContext<D, object> {
  const { operationId, position, state, attempt: tries } = o.row;
  return {
    deps: o.deps,
    state,
    operationId,
    attempt: tries,
    signal: run.signal,
    log: o.log,
    progress: (message) =>
      run.fenced(async (tx) => {
        await updateStep(tx, { operationId, position, message });
        await updateOperation(tx, operationId, { message });
      }),
  };
}
