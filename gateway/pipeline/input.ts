import { validate } from "#shared/contract/dispatch.ts";
import type { Exchange, Stage } from "../exchange.ts";
import { type BodyLimits, readJson } from "./body.ts";
import { checkFields, parseQuery, unfit } from "./text.ts";

const maxDepth = 32;

/** Query, then body, then path: what the URL names cannot be overruled by what the body says. */
export const readInput =
  (limits: BodyLimits): Stage =>
  (x) => {
    const takesBody = x.route.http?.kind !== "upload" && x.binding.method !== "GET";
    if (takesBody) return readJson(x.request, limits).then((body) => gather(x, body));
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
