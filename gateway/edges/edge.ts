export type EdgeRequest = { request: Request; requestId: string; socketAddress: string };

/** A route written by hand. Each says why it cannot be a contract, and is listed, guarded and documented like one. */
export type Edge = {
  method: "GET" | "POST";
  path: `/${string}`;
  summary: string;
  /** Why no contract can express it. */
  because: string;
  /** The guard is applied for it; an edge that needs an account identifies it itself and says so in `because`. */
  policy: { auth: "public" | "internal"; guard: "none" | "internal" };
  /** What it answers, for the API page: status, description and schema. */
  answers?: Record<number, { description: string; content: Record<string, { schema: object }> }>;
  handle(x: EdgeRequest): Promise<Response> | Response;
};
