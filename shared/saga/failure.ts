import type { OperationError } from "#shared/contract/operation.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import { OutcomeUnknown } from "./saga.ts";

export type Verdict = "again" | "unknown" | "unwind";

/** What follows from an error of a step that was first tried `sinceMs` ago. An undo is tried until it works. */
export function judge(
  error: unknown,
  o: { undoing: boolean; wasUnknown: boolean; sinceMs: number; giveUpAfterMs: number },
): Verdict {
  const unknown = error instanceof OutcomeUnknown;
  const passing = o.undoing || unknown || (error instanceof Fault && error.retryable);
  if (!passing || (!o.undoing && o.sinceMs >= o.giveUpAfterMs)) return "unwind";
  // A try that did not even get an answer settles nothing.
  return unknown || o.wasUnknown ? "unknown" : "again";
}

/** The part of an error that its customer may see. */
export function publicError(error: unknown): OperationError {
  if (error instanceof OutcomeUnknown) {
    const message = error.message || "It could not be found out whether the request took effect";
    return { code: "operation.outcome_unknown", message, retryable: true };
  }
  const { code, title, detail, retryable, details } =
    error instanceof Fault ? error : coreFault("internal.error", {}, { cause: error });
  return { code, message: detail ?? title, retryable, ...(details === undefined ? {} : { details }) };
}
