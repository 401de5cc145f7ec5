import { z } from "zod";

const time = z.iso.datetime().nullable();

/** One step of an operation that is done in steps. `failed`: this one made the operation fail; its traces are undone. */
export const OperationStep = z.object({
  name: z.string(),
  status: z.enum(["pending", "running", "done", "undoing", "undone", "failed"]),
  startedAt: time,
  finishedAt: time,
  message: z.string().optional(),
});
export type OperationStep = z.infer<typeof OperationStep>;

/** Why an operation failed: the public part of a fault. `message` is the sentence to show. */
export const OperationError = z.object({
  code: z.string(),
  message: z.string(),
  /** Whether the same request may succeed later. */
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type OperationError = z.infer<typeof OperationError>;

export const OperationStatus = z.enum(["queued", "running", "succeeded", "failed", "unknown", "cancelled"]);
export type OperationStatus = z.infer<typeof OperationStatus>;

/** Work that goes on after its request was answered. Every service shows its own in this one shape. */
export const Operation = z.object({
  /** Its prefix names the service that stores it. */
  id: z.string(),
  type: z.string(),
  /** `unknown`: an outside system did not say what became of a request; it is being looked up. */
  status: OperationStatus,
  /** The name of the current step; `undo:<step>` while the steps are undone. */
  phase: z.string(),
  /** What is going on, as a sentence for people. */
  message: z.string(),
  startedAt: time,
  finishedAt: time,
  result: z.record(z.string(), z.unknown()).nullable(),
  error: OperationError.nullable(),
  steps: z.array(OperationStep).optional(),
  /** The server's public id, as soon as it has one. */
  serverId: z.string().optional(),
  statusUrl: z.string(),
});
export type Operation = z.infer<typeof Operation>;
