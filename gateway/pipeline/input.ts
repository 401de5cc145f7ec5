import { validate } from "#shared/contract/dispatch.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Exchange, Stage } from "../exchange.ts";
import { checkFields, parseQuery, unfit } from "./text.ts";

const maxBytes = 256 * 1024;
const maxDepth = 32;

/** Query, then body, then path: what the URL names cannot be overruled by what the body says. */
export const readInput: Stage = (x) => {
  const takesBody = x.route.http?.kind !== "upload" && x.binding.method !== "GET";
  if (takesBody) return readJson(x.request).then((body) => gather(x, body));
  return gather(x, {});
};

/**
 * What a service would refuse goes no further. It validates again, for its other callers; here it spares the bus a
 * request, and the audit log a line.
 */
export const checkInput =
  (own: string): Stage =>
  (x) => {
    if (x.contract.service !== own) validate(x.route.request, x.input);
  };

function gather(x: Exchange, body: Record<string, unknown>): void {
  const { url } = x.request;
  const at = url.indexOf("?");
  const query = at < 0 ? {} : parseQuery(url.slice(at + 1));
  // What is limited is what takes secrets, and an address is written down by every proxy on the way.
  const [written] = x.route.policy.limit ? Object.keys(query) : [];
  if (written !== undefined) throw unfit(written, "belongs in the body, not in the address");
  for (const name in x.params)
    // The router leaves null, or the replacement character, for what it could not decode.
    if (!x.params[name] || x.params[name].includes("\uFFFD"))
      throw unfit(name, "is not percent-encoded UTF-8");
  x.input = { ...query, ...body, ...x.params };
  checkFields(x.input, maxDepth);
}

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
