import type { z } from "zod";
import type { AgentFailure } from "#shared/agent/contract.ts";

/** Bytes of a JSON body that are accepted. */
const jsonLimit = 64 * 1024;

/** An answer of 400 and above: `{ error: sentence, code }` and what else helps the caller. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly body: AgentFailure;

  constructor(
    status: number,
    code: string,
    sentence: string,
    more: Omit<AgentFailure, "error" | "code"> = {},
  ) {
    super(sentence);
    this.status = status;
    this.body = { error: sentence, code, ...more };
  }

  response(headers: Record<string, string> = {}): Response {
    return Response.json(this.body, { status: this.status, headers });
  }
}

/** The request's body as `schema` reads it; refuses 413 beyond 64 KiB and 400 for anything that does not match. */
export async function readJson<S extends z.ZodType>(request: Request, schema: S): Promise<z.infer<S>> {
  let value: unknown;
  const text = await boundedText(request);
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, "request.invalid", "The body is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const first = issues[0];
  throw new Refusal(400, "request.invalid", `The body is not valid: ${first?.path} ${first?.message}`, {
    issues,
  });
}

async function boundedText(request: Request): Promise<string> {
  const tooLarge = () => new Refusal(413, "request.too_large", `The body is larger than ${jsonLimit} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > jsonLimit) throw tooLarge();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > jsonLimit) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
