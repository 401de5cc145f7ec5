import { coreFault } from "#shared/fault/core.ts";
import type { Fault } from "#shared/fault/fault.ts";

/** Characters of an agent's answer that are kept for the client to see. */
export const keptBody = 16 * 1024;

/** Statuses of an agent that mean the same to our client; any other one is the agent's failure. */
const passed = new Set([400, 403, 404, 409, 412, 413, 416, 422, 503]);

export type AgentErrorInit = {
  /** `silent`: no answer in time. `refused`: no connection, or it was cut. `answered`: an answer we cannot use. */
  kind: "silent" | "refused" | "answered";
  status?: number | undefined;
  body?: string | undefined;
};

/** A call to an agent that did not succeed. It holds nothing of the request, so no token either. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly kind: AgentErrorInit["kind"];
  readonly status: number | undefined;
  /** What the agent said, verbatim, at most its first {@link keptBody} characters. */
  readonly body: string | undefined;
  /** The agent's own sentence about it, when its answer had one. */
  readonly sentence: string | undefined;

  constructor(init: AgentErrorInit, options?: ErrorOptions) {
    const sentence = sentenceOf(init.body);
    super(sentence ?? `agent: ${init.kind}${init.status === undefined ? "" : ` (${init.status})`}`, options);
    this.kind = init.kind;
    this.status = init.status;
    this.body = init.body?.slice(0, keptBody);
    this.sentence = sentence;
  }
}

function sentenceOf(body: string | undefined): string | undefined {
  if (body === undefined) return undefined;
  try {
    const said: unknown = JSON.parse(body);
    if (typeof said !== "object" || said === null) return undefined;
    for (const key of ["error", "message", "detail"]) {
      const value: unknown = Reflect.get(said, key);
      if (typeof value === "string" && value !== "") return value.slice(0, 500);
    }
  } catch {
    // Not JSON: the body itself is kept, it is no sentence to show.
  }
  return undefined;
}

/** The fault that the agent's answer is to our client: its own status where that has a meaning for them. */
export function agentFault(error: AgentError): Fault {
  const details = {
    upstream: { service: "agent", status: error.status ?? null, body: error.body ?? null },
  };
  const cause = { cause: error };
  if (error.kind === "silent") return coreFault("upstream.timeout", { details }, cause);
  if (error.kind === "refused") return coreFault("upstream.refused", { details }, cause);
  const { status, sentence: detail } = error;
  if (status === undefined || !passed.has(status))
    return coreFault("upstream.failed", { detail, details }, cause);
  return coreFault("upstream.rejected", { status, detail, details, retryable: status === 503 }, cause);
}
