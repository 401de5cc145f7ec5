import type { z } from "zod";
import type { HostCode, HostProblem } from "./schema.ts";

const statuses: Record<HostCode, number> = {
  "request.invalid": 400,
  "request.too_large": 413,
  "auth.required": 401,
  "route.not_found": 404,
  "container.not_found": 404,
  "container.exists": 409,
  "container.running": 409,
  "container.token_missing": 409,
  "container.storage_missing": 500,
  "container.unreadable": 409,
  "agent.build_failed": 503,
  "agent.ended": 502,
  "agent.start_timeout": 504,
  "host.no_port": 503,
  "host.disk_full": 507,
  "host.stopping": 503,
  "internal.error": 500,
};

/** A refusal of the host; `message` is the sentence that the caller reads. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostCode;
  readonly issues: HostProblem["issues"];

  constructor(code: HostCode, message: string, o: { issues?: HostProblem["issues"]; cause?: unknown } = {}) {
    super(message, { cause: o.cause });
    this.code = code;
    this.issues = o.issues;
  }

  get status(): number {
    return statuses[this.code];
  }

  problem(): HostProblem {
    return { error: this.message, code: this.code, ...(this.issues ? { issues: this.issues } : {}) };
  }
}

export function invalid(error: z.ZodError): HostError {
  const issues = error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const first = issues[0];
  return new HostError("request.invalid", `${first?.path || "body"}: ${first?.message ?? "is not valid"}`, {
    issues,
  });
}

/** Turns whatever was thrown into a refusal. Only a `HostError` and a full disk say what happened. */
export function hostError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  if (isErrno(error, "ENOSPC", "EDQUOT"))
    return new HostError("host.disk_full", "the host's disk is full", { cause: error });
  return new HostError("internal.error", "the local host failed; its log says why", { cause: error });
}

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
