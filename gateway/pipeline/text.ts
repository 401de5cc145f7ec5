import { coreFault } from "#shared/fault/core.ts";
import type { Fault } from "#shared/fault/fault.ts";

const maxParameters = 64;

/** A field of the request is not what it must be, whatever the contract says about it. */
export function unfit(field: string, message: string): Fault {
  const path = field.slice(0, 200).toWellFormed();
  return coreFault("request.invalid", {
    detail: `${path}: ${message}`,
    details: { issues: [{ path, message }] },
  });
}

/**
 * The parameters of a query, each of them once. Rejects with `request.invalid` where one cannot be decoded: what the
 * client wrote would otherwise reach the service as something else.
 */
export function parseQuery(text: string): Record<string, unknown> {
  const parts = text.split("&").filter(Boolean);
  if (parts.length > maxParameters)
    throw coreFault("request.invalid", { detail: `The query has more than ${maxParameters} parameters` });
  const query = new Map<string, string>();
  for (const part of parts) {
    const at = part.indexOf("=");
    const name = decoded(at < 0 ? part : part.slice(0, at)) ?? "";
    if (name === "")
      throw coreFault("request.invalid", { detail: "A parameter of the query has no readable name" });
    const value = at < 0 ? "" : decoded(part.slice(at + 1));
    if (value === undefined) throw unfit(name, "is not percent-encoded UTF-8");
    if (query.has(name)) throw unfit(name, "is there twice");
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/**
 * Rejects with `request.invalid` where a value is nested deeper than `maxDepth`, or holds text that no database stores:
 * NUL, or half of a surrogate pair. Without recursion, since depth is what is in doubt.
 */
export function checkFields(fields: Record<string, unknown>, maxDepth: number): void {
  let level: [path: string, value: object][] = [["", fields]];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw coreFault("request.invalid", { detail: "The body is nested too deeply" });
    const next: typeof level = [];
    for (const [path, value] of level)
      for (const [key, item] of Object.entries(value)) {
        if (!isText(key) || (typeof item === "string" && !isText(item)))
          throw unfit(path + key, "holds NUL or half of a character");
        if (item !== null && typeof item === "object") next.push([`${path}${key}.`, item]);
      }
    level = next;
  }
}

const isText = (text: string) => text.isWellFormed() && !text.includes("\0");
