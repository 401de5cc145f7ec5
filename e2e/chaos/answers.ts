import { Problem } from "#shared/fault/fault.ts";

/** What a caller saw: an answer, or no connection. */
export type Seen = {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  /** Milliseconds until the whole answer was there. */
  ms: number;
  /** Why there was no answer; its status is 0. */
  lost?: string;
};

export type Ask = { method: string; path: string; body?: unknown; headers?: Record<string, string> };

/** One request with a session; it never rejects. `patienceMs`: after so long it counts as hanging. */
export async function ask(url: string, token: string, request: Ask, patienceMs = 30_000): Promise<Seen> {
  const began = performance.now();
  const seen = (rest: Omit<Seen, "ms">): Seen => ({ ...rest, ms: performance.now() - began });
  try {
    const response = await fetch(url + request.path, {
      method: request.method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: AbortSignal.timeout(patienceMs),
    });
    const text = await response.text();
    return seen({ status: response.status, headers: response.headers, body: parse(text) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return seen({ status: 0, headers: new Headers(), body: {}, lost: `${String(error)}${cause}` });
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { text };
  }
}

/**
 * What is wrong with a refusal, in a sentence; undefined when it is one that a caller can act on: 503 or 504 in the one
 * shape of errors, said to be retryable, and when.
 */
export function wrongRefusal({ status, headers, body, lost }: Seen): string | undefined {
  if (lost !== undefined) return `no answer: ${lost}`;
  const shown = JSON.stringify(body).slice(0, 400);
  if (status !== 503 && status !== 504) return `${status}: ${shown}`;
  const problem = Problem.safeParse(body);
  if (!problem.success) return `${status} is no problem document: ${shown}`;
  if (problem.data.status !== status) return `${status} with a body that says ${problem.data.status}`;
  if (!problem.data.retryable) return `${status} that is not retryable: ${shown}`;
  if (!(Number(headers.get("retry-after")) > 0)) return `${status} without Retry-After: ${shown}`;
  if (problem.data.instance !== headers.get("x-request-id")) return `${status} with another request id`;
  return undefined;
}
