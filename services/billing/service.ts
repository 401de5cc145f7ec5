import { implement } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { billing } from "./contract.ts";
import { clearOverride } from "./verbs/clear-override.ts";
import { getAccount } from "./verbs/get-account.ts";
import { getBilling } from "./verbs/get-billing.ts";
import { overrideAccount } from "./verbs/override-account.ts";

export type Deps = { db: Db; clock: Clock };

export const billingService = implement(billing)((deps: Deps) => ({
  getBilling: getBilling(deps),
  getAccount: getAccount(deps),
  overrideAccount: overrideAccount(deps),
  clearOverride: clearOverride(deps),
}));
