import type { Policy } from "#shared/contract/define.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Stage } from "../exchange.ts";
import { type ClientAddress, clientAddress, peerAddress } from "./address.ts";
import { type Cidrs, parseCidrs } from "./cidr.ts";

export type AddressRules = {
  trustedProxies: Cidrs;
  /** Who may call the routes of other machines (callbacks, metrics); empty: this machine only. */
  internal: Cidrs;
  /** From where operators may work; empty: from anywhere. */
  operator: Cidrs;
};

const loopback = parseCidrs(["127.0.0.0/8", "::1"]);

/** Finds out where the request comes from, and refuses it where its route's list does not hold that address. */
export const guardIp =
  (rules: AddressRules): Stage =>
  (x) => {
    const { guard } = x.route.policy;
    // The common case needs none of the headers.
    if (guard === "none" && rules.trustedProxies.size === 0) {
      x.address = peerAddress(x.socketAddress);
      return;
    }
    const client = clientAddress(x.socketAddress, x.request.headers, rules.trustedProxies);
    x.address = client.address;
    checkAddress(guard, client, rules, x.log);
  };

/** Rejects with `guard.ip_denied` unless the address may use routes of this class. */
export function checkAddress(
  guard: Policy["guard"],
  client: ClientAddress,
  rules: AddressRules,
  log: Logger,
): void {
  if (admits(guard, client, rules)) return;
  log.warn({ guard, address: client.address, behindProxy: client.claimed }, "an address was refused");
  throw coreFault("guard.ip_denied");
}

function admits(
  guard: Policy["guard"],
  { address, claimed }: ClientAddress,
  { internal, operator }: AddressRules,
): boolean {
  if (guard === "none") return true;
  if (guard === "operator") return operator.size === 0 || operator.has(address);
  // A reverse proxy on this machine that nobody declared: its peer address says nothing about who is behind it.
  if (claimed) return false;
  return (internal.size === 0 ? loopback : internal).has(address);
}
