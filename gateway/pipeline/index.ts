import type { Sessions } from "#gateway/auth/sessions.ts";
import type { Bus } from "#shared/bus/connect.ts";
import type { Service } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Stage } from "../exchange.ts";
import { audited } from "./audit.ts";
import { authenticated } from "./authenticate.ts";
import type { Rate } from "./buckets.ts";
import { call } from "./call.ts";
import { type AddressRules, guardIp } from "./guard-ip.ts";
import { checkInput, readInput } from "./input.ts";
import { limited, type Limits } from "./limit.ts";
import { guardOrigin, type OriginRules } from "./origin.ts";
import { respond } from "./respond.ts";
import type { TransferLimits } from "./transfer.ts";

/** What every request of a contract's route goes through, in order; the first stage that rejects answers it. */
export function pipeline(o: {
  bus: Bus;
  db: Db;
  own: Service;
  sessions: Sessions;
  addresses: AddressRules;
  origins: OriginRules;
  bodyMs: number;
  rates: Limits;
  changes: Rate;
  rateKeys: number;
  limits: TransferLimits;
  clock: Clock;
}): readonly Stage[] {
  const own = o.own.contract.service;
  return [
    guardIp(o.addresses),
    guardOrigin(o.origins),
    authenticated(o.sessions),
    readInput({ bodyMs: o.bodyMs, clock: o.clock }),
    limited(o.rates, { changes: o.changes, maxKeys: o.rateKeys, clock: o.clock }),
    checkInput(own),
    audited({ db: o.db, clock: o.clock, own }),
    call(o.bus, o.own),
    respond(o.limits),
  ];
}
