import { coreFault } from "#shared/fault/core.ts";

/**
 * The value of one cookie; undefined where it is absent, or holds what no cookie of ours does. Rejects with
 * `request.invalid` when it is there twice: then somebody has set one beside ours, and which is meant is a guess.
 */
export function readCookie(header: string | null, name: string): string | undefined {
  if (header === null) return undefined;
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  if (values.length > 1) throw coreFault("request.invalid", { detail: `The cookie ${name} is there twice` });
  const [value] = values;
  return value !== undefined && /^[\w-]{1,256}$/.test(value) ? value : undefined;
}
