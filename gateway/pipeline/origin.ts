import { coreFault } from "#shared/fault/core.ts";
import type { Stage } from "../exchange.ts";

/** Origins of web pages, as browsers name them: scheme, host and port, lower case, no path. */
export type OriginRules = {
  /** Where the gateway itself is reached. */
  own: ReadonlySet<string>;
  /** Pages of others that may call it and read its answers. */
  listed: ReadonlySet<string>;
};

/** Throws an error that names the first entry which is no origin; a pattern, a path and `null` are none. */
export function parseOrigins(entries: readonly string[]): ReadonlySet<string> {
  for (const entry of entries) {
    const origin = URL.canParse(entry) ? new URL(entry) : undefined;
    if (origin?.origin !== entry || !/^https?:$/.test(origin.protocol))
      throw new Error(`"${entry}" is no origin such as https://portal.example.org`);
  }
  return new Set(entries);
}

const loopback = ["localhost", "127.0.0.1", "[::1]"];

/** An installation that is reached at this machine is reached by any of its names. */
export function originRules(o: { listed: ReadonlySet<string>; publicUrl: string }): OriginRules {
  const { protocol, hostname, port, origin } = new URL(o.publicUrl);
  const own = loopback.includes(hostname)
    ? loopback.map((name) => `${protocol}//${name}${port && `:${port}`}`)
    : [origin];
  return { own: new Set(own), listed: o.listed };
}

/** Whether a page of this origin may use what rests on a cookie. */
export const originAllowed = (origin: string, { own, listed }: OriginRules): boolean =>
  own.has(origin) || listed.has(origin);

/**
 * Refuses requests of foreign pages to routes with a cookie, which the browser adds whoever asks. A client that is no
 * browser sends no origin, and has no cookie that somebody else could use.
 */
export const guardOrigin =
  (rules: OriginRules): Stage =>
  (x) => {
    if (!x.route.http?.cookie) return;
    const origin = x.request.headers.get("origin");
    if (origin === null || originAllowed(origin, rules)) return;
    x.log.warn({ origin: origin.slice(0, 256) }, "the page of a foreign origin was refused");
    throw coreFault("guard.origin_denied");
  };
