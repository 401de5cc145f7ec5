import type { OperationError } from "#shared/contract/operation.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Observation } from "../live/observe.ts";
import { isDown, type PowerAction, type PowerJob } from "../power.ts";

/** What one look at an operation comes to. */
export type Progress =
  | { end: "succeeded" }
  | { end: "failed"; error: OperationError }
  /** The agent has agreed just now. */
  | { end: "accepted" }
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

/**
 * What an observation says about an action that the agent has agreed to. `lateAfterMs` is given once the time is up:
 * the operation then fails and says what was seen last.
 */
export function judge(
  { action, startedBefore }: Pick<PowerJob, "action" | "startedBefore">,
  seen: Pick<Observation, "status" | "ready" | "error">,
  lateAfterMs?: number,
): Progress {
  const { status } = seen;
  if (status && !status.operation) {
    if (action === "stop" && isDown(status.state)) return { end: "succeeded" };
    if (action !== "stop" && status.state === "error")
      return ends("servers.game_failed", status.error?.message ?? "The game ended with an error");
    const isNew = startedBefore === null || status.started_at !== startedBefore;
    if (
      status.state === "running" &&
      seen.ready.ready &&
      (action === "start" || (action === "restart" && isNew))
    )
      return { end: "succeeded" };
  }
  return lateAfterMs === undefined
    ? waiting
    : ends("servers.power_deadline", late(action, seen, lateAfterMs), true);
}

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
