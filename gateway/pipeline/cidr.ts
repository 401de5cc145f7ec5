// Matching is done by node:net, which the runtime maintains; what is added here is one spelling per address, so that an
// IPv4 address that arrives as IPv6 (::ffff:10.0.0.1) is judged as what it is.
import { BlockList, isIP } from "node:net";

export type Cidrs = {
  readonly size: number;
  /** Whether a normalised address lies in one of the ranges; never for what is no address. */
  has(address: string): boolean;
};

/**
 * Parses ranges such as `10.0.0.0/8`, `fd00::/8` or single addresses. Throws an error that names the first entry which
 * is none.
 */
export function parseCidrs(entries: readonly string[]): Cidrs {
  // One list per family: in a common one a wide IPv6 range holds every IPv4 address, in its mapped form.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const entry of entries) {
    const [base = "", bits, ...rest] = entry.split("/");
    const address = normalizeAddress(base);
    if (address === undefined || rest.length > 0) throw new Error(`"${entry}" is no address range`);
    const width = isIP(address) === 4 ? 32 : 128;
    // The prefix of a mapped address counts the 96 bits before it.
    const shift = width === 32 && isIP(base) === 6 ? 96 : 0;
    const prefix = bits === undefined ? width : Number(bits) - shift;
    if ((bits !== undefined && !/^\d{1,3}$/.test(bits)) || prefix < 0 || prefix > width)
      throw new Error(`"${entry}" has no valid prefix length`);
    lists[family(address)].addSubnet(address, prefix, family(address));
  }
  return {
    size: entries.length,
    has: (address) => isIP(address) !== 0 && lists[family(address)].check(address, family(address)),
  };
}

const family = (address: string) => (isIP(address) === 4 ? "ipv4" : "ipv6");

/** One spelling per address: IPv4 dotted, mapped ones too, IPv6 compressed, no zone; undefined for anything else. */
export function normalizeAddress(text: string): string | undefined {
  const [address = ""] = text.trim().split("%");
  const kind = isIP(address);
  if (kind === 0) return undefined;
  if (kind === 4) return address;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const [high, low] = [mapped[1], mapped[2]].map((part) => Number.parseInt(part ?? "", 16));
  return [high, low].flatMap((part = 0) => [part >> 8, part & 255]).join(".");
}
