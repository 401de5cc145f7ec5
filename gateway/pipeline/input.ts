import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Stage } from "../exchange.ts";

const maxBytes = 256 * 1024;
const maxDepth = 32;

/** Query, then body, then path: what the URL names cannot be overruled by what the body says. */
export const readInput: Stage = async (x) => {
  const { searchParams } = new URL(x.request.url);
  const takesBody = x.route.http?.kind !== "upload" && x.request.method !== "GET";
  const body = takesBody ? await readJson(x.request) : {};
  x.input = { ...Object.fromEntries(searchParams), ...body, ...x.params };
};

/** The body as an object; an absent one is empty. Rejects with 400, 413 or 415, and never holds more than it may. */
export async function readJson(request: Request): Promise<Record<string, unknown>> {
  if (!request.body) return {};
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge();
  const bytes = await readBounded(request.body);
  if (bytes.length === 0) return {};
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" && !type?.endsWith("+json"))
    throw coreFault("request.media_type", { detail: "Send JSON with the content type application/json" });
  const value = parse(bytes);
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw coreFault("request.invalid", { detail: "The body must be a JSON object" });
  if (depthOver(value, maxDepth))
    throw coreFault("request.invalid", { detail: "The body is nested too deeply" });
  return value as Record<string, unknown>;
}

const tooLarge = () => coreFault("request.too_large", { details: { maxBytes } });

async function readBounded(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    // A client that goes away in the middle of its body is no failure of ours.
    throw cause instanceof Fault ? cause : coreFault("request.cancelled", {}, { cause });
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw coreFault("request.invalid", { detail: "The body is not valid JSON" }, { cause });
  }
}

/** Whether a value is nested deeper than `limit`; without recursion, since depth is what is in doubt. */
function depthOver(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((item) => (item !== null && typeof item === "object" ? Object.values(item) : []));
  }
  return false;
}
