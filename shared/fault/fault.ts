import { z } from "zod";

/** The error document of every route, on HTTP and on the bus: RFC 9457 and the members that clients read. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().optional(),
  /** The id of the request, equal to the X-Request-Id header. */
  instance: z.string(),
  /** Stable and dotted, `<owner>.<name>`. */
  code: z.string(),
  /** Whether the same request may succeed later, unchanged. */
  retryable: z.boolean(),
  /** The sentence to show: `detail`, or `title` where there is none. */
  error: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof Problem>;

export type FaultInit = {
  code: string;
  status: number;
  title: string;
  retryable?: boolean | undefined;
  detail?: string | undefined;
  details?: Record<string, unknown> | undefined;
  /** Seconds; sent as Retry-After. */
  retryAfter?: number | undefined;
};

/**
 * The one error that may cross a process boundary. Everything in it is public; what only an operator may see
 * goes in `cause`, which is logged and never serialised.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  readonly detail: string | undefined;
  readonly details: Record<string, unknown> | undefined;
  readonly retryAfter: number | undefined;

  constructor(init: FaultInit, options?: ErrorOptions) {
    super(`${init.code}: ${init.detail ?? init.title}`, options);
    this.code = init.code;
    this.status = init.status;
    this.title = init.title;
    this.retryable = init.retryable ?? false;
    this.detail = init.detail;
    this.details = init.details;
    this.retryAfter = init.retryAfter;
  }

  /** The document for the client; `requestId` becomes `instance`. */
  problem(requestId: string): Problem {
    return {
      type: `urn:zpack:problem:${this.code}`,
      title: this.title,
      status: this.status,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      instance: requestId,
      code: this.code,
      retryable: this.retryable,
      error: this.detail ?? this.title,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** Reads a document that came over the bus. */
  static fromProblem(problem: Problem, retryAfter?: number): Fault {
    const { code, status, title, retryable, detail, details } = problem;
    return new Fault({ code, status, title, retryable, detail, details, retryAfter });
  }
}
