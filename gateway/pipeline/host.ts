import { coreFault } from "#shared/fault/core.ts";

/** Names under which the gateway may be asked; lower case, without port. */
export type HostRules = ReadonlySet<string>;

/** `allowed` may carry ports, which are not looked at. Without it: this machine, and the host of the public URL. */
export function hostRules(o: { allowed: readonly string[]; publicUrl: string }): HostRules {
  const names =
    o.allowed.length > 0 ? o.allowed : ["localhost", "127.0.0.1", "[::1]", new URL(o.publicUrl).host];
  return new Set(
    names.map((name) => {
      const host = nameOf(name);
      if (host === undefined) throw new Error(`"${name}" is no host name`);
      return host;
    }),
  );
}

/**
 * Rejects with `request.host` unless exactly one Host header names an allowed host. To be called before anything reads
 * `request.url`: with a damaged Host header it is not absolute. The authority of an absolute-form target is not looked
 * at by anybody, the runtime drops it.
 */
export function checkHost(request: Request, rules: HostRules): void {
  // Two headers arrive joined by a comma, which no host name holds.
  const host = nameOf(request.headers.get("host") ?? "");
  const absolute = request.url.startsWith("http://") || request.url.startsWith("https://");
  if (host === undefined || !absolute || !rules.has(host)) throw coreFault("request.host");
}

function nameOf(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{1,5})?$/.exec(host.toLowerCase())?.[1];
}
