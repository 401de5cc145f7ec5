import { type Cidrs, normalizeAddress } from "./cidr.ts";

export type ClientAddress = {
  /** Normalised; `unknown` where a trusted proxy did not say it in a way that can be read. */
  address: string;
  /** The request carries headers of a proxy although its peer is not a trusted one. */
  claimed: boolean;
};

const unknown = "unknown";

/** What proxies write about those before them. */
const forwardingHeaders = [
  "x-forwarded-for",
  "forwarded",
  "x-real-ip",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "via",
];

/**
 * The address of the client: that of the socket, unless the peer is a trusted proxy; then the right-most entry of
 * X-Forwarded-For that is not one itself. What stands left of it was written by the client and proves nothing.
 */
export function clientAddress(socketAddress: string, headers: Headers, trustedProxies: Cidrs): ClientAddress {
  const peer = peerAddress(socketAddress);
  const forwarded = forwardingHeaders.some((name) => headers.has(name));
  if (!trustedProxies.has(peer)) return { address: peer, claimed: forwarded };
  if (!forwarded) return { address: peer, claimed: false };
  // A header that is there but cannot be read leads to no address, so that no list admits the proxy in its place.
  const hops = (headers.get("x-forwarded-for") ?? "").split(",").map(readHop);
  const client = hops.findLast((hop) => !trustedProxies.has(hop)) ?? hops[0];
  return { address: client ?? unknown, claimed: false };
}

/** The address of the socket's other end: that of the client where no proxy is trusted. */
export const peerAddress = (socketAddress: string): string => normalizeAddress(socketAddress) ?? unknown;

/** An entry of X-Forwarded-For; some proxies add the port. */
function readHop(entry: string): string {
  const text = entry.trim();
  const withPort = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/.exec(text);
  return normalizeAddress(withPort?.[1] ?? withPort?.[2] ?? text) ?? unknown;
}

/** Who shares an address with whom: an IPv6 client has a network of its own (/64) and may use every address of it. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [left = "", right] = address.split("::");
  const groups = left.split(":").filter(Boolean);
  const after = right?.split(":").filter(Boolean) ?? [];
  if (right !== undefined) while (groups.length + after.length < 8) groups.push("0");
  return `${[...groups, ...after].slice(0, 4).join(":")}::/64`;
}
