import type { OperationError } from "#shared/contract/operation.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Observation } from "../live/observation.ts";
import { isDown } from "../axes.ts";
import type { PowerAction, PowerJob } from "../power.ts";

/** What one look at an operation comes to. */
export type Progress =
  | { end: "succeeded" }
  | { end: "failed"; error: OperationError }
  /** The agent has agreed just now. */
  | { end: "accepted" }
  /** The game was seen starting. */
  | { end: "begun" }
  | { end: "waiting" };

export const waiting: Progress = { end: "waiting" };

/** The end that is no success, with a stable code and the sentence for the customer. */
export function ends(code: string, message: string, retryable = false): Progress {
  return { end: "failed", error: { code, message, retryable } };
}

/** The public part of a fault, as an operation keeps it. */
export function errorOf({ code, title, detail, retryable, details }: Fault): OperationError {
  return { code, message: detail ?? title, retryable, ...(details ? { details } : {}) };
}

/** What is known of an operation besides its job. */
export type SoFar = {
  /** The game was seen starting. */
  begun: boolean;
  /** The agent agreed long enough ago for a game that is started not to be idle any more. */
  settled: boolean;
  /** Given once the time is up: the operation then fails and says what was seen last. Milliseconds. */
  lateAfterMs?: number;
};

/** What an observation says about an action that the agent has agreed to. */
export function judge(
  job: Pick<PowerJob, "action" | "startedBefore">,
  seen: Pick<Observation, "status" | "ready" | "error">,
  { begun, settled, lateAfterMs }: SoFar,
): Progress {
  const { action } = job;
  const { status } = seen;
  if (status && !status.operation) {
    if (action === "stop" && isDown(status.state)) return { end: "succeeded" };
    if (action !== "stop" && status.state === "error")
      return ends("servers.game_failed", status.error?.message ?? "The game ended with an error");
    // The agent died meanwhile and knows nothing of it any more, or the game was stopped from within.
    if (action !== "stop" && status.state === "idle" && (begun || settled))
      return ends("servers.game_stopped", begun ? stoppedAgain : neverStarted, true);
    if (action !== "stop" && status.state === "running" && seen.ready.ready && isNew(job, status))
      return { end: "succeeded" };
  }
  if (lateAfterMs !== undefined) return ends("servers.power_deadline", late(action, seen, lateAfterMs), true);
  return action !== "stop" && status?.state === "starting" && !begun ? { end: "begun" } : waiting;
}

const stoppedAgain = "The game stopped again before it was ready";
const neverStarted = "The agent agreed to start the game, and the game did not start";

/** Whether the game that runs is the one that was asked for: a restart is over when another game runs than before. */
const isNew = (
  { action, startedBefore }: Pick<PowerJob, "action" | "startedBefore">,
  { started_at }: NonNullable<Observation["status"]>,
): boolean => action === "start" || startedBefore === null || started_at !== startedBefore;

const goals: Record<PowerAction, string> = { start: "ready", stop: "stopped", restart: "ready again" };

function late(
  action: PowerAction,
  { status, ready, error }: Pick<Observation, "status" | "ready" | "error">,
  afterMs: number,
): string {
  const crashed = status?.crash ? `, last crash: ${status.crash.class}` : "";
  const last = status
    ? `the agent reported ${status.state}${ready.ready ? "" : `, not ready (${ready.reason ?? "no reason given"})`}${crashed}`
    : `its state is not known: ${error ?? "no answer"}`;
  return `The game was not ${goals[action]} after ${Math.round(afterMs / 1000)} s; ${last}`;
}
