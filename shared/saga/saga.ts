import type { OperationError } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import type { Logger } from "#shared/telemetry/log.ts";

/** What a step is given, whether it is done or undone. */
export type StepContext<D, S> = {
  deps: D;
  /** As it was last logged; what this step found out so far is not in it. */
  state: Readonly<S>;
  operationId: string;
  /** 1 in the first try of this step in this direction, also counting tries of workers that died. */
  attempt: number;
  /** Aborts when the worker stops or has lost the job: end by throwing. */
  signal: AbortSignal;
  /** Shows a sentence to whoever watches the operation. */
  progress: (message: string) => Promise<void>;
  log: Logger;
};

/**
 * One effect on the outside world and its reversal. A worker may die at any point, so both are called again when it is
 * not known that they ended, and both must then end in the same world:
 * - `do` first looks whether its effect is there. It names what it makes by `operationId` or by the state of earlier
 *   steps, so that it finds it again. What it returns is merged into the state and logged.
 * - `undo` runs for every step whose `do` was begun, in reverse, the failing one included. It looks first too: there
 *   may be nothing to undo, and what is there may not be ours. It is tried until it works.
 *
 * What `do` throws decides: a retryable `Fault` is tried again with back-off; `OutcomeUnknown` too, and the operation
 * shows `unknown` meanwhile; after `giveUpAfterMs`, or on anything else, the saga unwinds.
 */
export type Step<D, S> = {
  name: string;
  /** What the step is about, for the operation's message; made from the name by default. */
  title?: string;
  do(c: StepContext<D, S>): Promise<Partial<S> | void>;
  undo(c: StepContext<D, S>): Promise<void>;
  /** Since the first try, in milliseconds, across restarts; 10 minutes by default. 0: one try. */
  giveUpAfterMs?: number;
};

export const defaultGiveUpAfterMs = 600_000;

/** The `undo` of a step that leaves nothing behind. */
export async function nothingToUndo(): Promise<void> {}

/**
 * The request may have taken effect: the answer was lost. The operation shows `unknown` until a later try, which looks
 * first, settles it. It is never undone blindly: if it is still unknown when the step gives up, the saga unwinds, and
 * `undo`, which looks first as well, is tried until it knows. `message` is shown to the customer.
 */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
}

export type SagaEnd<S> = {
  operationId: string;
  customerId: string;
  state: S;
  status: "succeeded" | "failed";
  error?: OperationError;
};

export type SagaDefinition<D, S> = {
  /** Also the operation's type. */
  type: string;
  /** The queue whose worker runs it; "saga" by default. */
  queue?: string;
  steps: readonly Step<D, S>[];
  /** Runs in the transaction that settles the operation: what it writes, emits or releases happens exactly once. */
  onSettled?(tx: Tx, end: SagaEnd<S>): Promise<void>;
  /** The `result` of the operation that succeeded. */
  result?(state: S): Record<string, unknown>;
  /** Which server the operation is about, as soon as the state says it. */
  server?(state: S): { serverId?: string | undefined; instanceId?: string | undefined };
};

/** A saga as `beginSaga` and `sagaHandler` take it. Its state is JSON. */
export type Saga<D, S> = SagaDefinition<D, S> & { queue: string };

/** Names a saga's steps once and for all: sagas that are under way find theirs by name after an update. */
export function defineSaga<D, S>(definition: SagaDefinition<D, S>): Saga<D, S> {
  const names = new Set(definition.steps.map((step) => step.name));
  if (definition.steps.length === 0) throw new Error(`saga ${definition.type} has no steps`);
  if (names.size < definition.steps.length)
    throw new Error(`saga ${definition.type} has two steps of one name`);
  return { queue: "saga", ...definition };
}

/** "wait-for-ip" → "Wait for ip". */
export function titleOf(step: { name: string; title?: string }): string {
  const words = step.name.replaceAll("-", " ");
  return step.title ?? words.charAt(0).toUpperCase() + words.slice(1);
}
