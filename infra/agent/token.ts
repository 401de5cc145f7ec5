import { createHash } from "node:crypto";

/** Bytes of a token and the end of its line. */
const limit = 1024;
const newline = 10;

/** What a request's `authorization` header must hash to. The agent keeps this and not the token. */
export type Admission = Buffer;

export function admissionOf(token: string | Uint8Array): Admission {
  return createHash("sha256").update("Bearer ").update(token).digest();
}

/**
 * Reads the token: the first line, or everything, of `input`. It comes this way because the environment and the
 * arguments of a process can be read as long as it lives. Throws when there is none of 16 visible characters or more.
 */
export async function readAdmission(input: ReadableStream<Uint8Array>): Promise<Admission> {
  const line = Buffer.alloc(limit);
  let length = 0;
  for await (const chunk of input) {
    const end = chunk.indexOf(newline);
    const part = end < 0 ? chunk : chunk.subarray(0, end);
    line.set(part.subarray(0, limit - length), length);
    length = Math.min(limit, length + part.length);
    chunk.fill(0);
    if (end >= 0 || length === limit) break;
  }
  const token = line.subarray(0, length);
  try {
    if (!/^[\x21-\x7e]{16,512}$/.test(token.toString("latin1")))
      throw new Error("standard input has no token: one line of 16 to 512 visible characters");
    return admissionOf(token);
  } finally {
    line.fill(0);
  }
}
