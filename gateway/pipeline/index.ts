import type { Sessions } from "#gateway/auth/sessions.ts";
import type { Bus } from "#shared/bus/connect.ts";
import type { Service } from "#shared/contract/implement.ts";
import type { Stage } from "../exchange.ts";
import { authenticated } from "./authenticate.ts";
import { call } from "./call.ts";
import { type AddressRules, guardIp } from "./guard-ip.ts";
import { readInput } from "./input.ts";
import { respond } from "./respond.ts";
import type { TransferLimits } from "./transfer.ts";

/** What every request of a contract's route goes through, in order; the first stage that rejects answers it. */
export function pipeline(o: {
  bus: Bus;
  own: Service;
  sessions: Sessions;
  addresses: AddressRules;
  limits: TransferLimits;
}): readonly Stage[] {
  return [guardIp(o.addresses), authenticated(o.sessions), readInput, call(o.bus, o.own), respond(o.limits)];
}
