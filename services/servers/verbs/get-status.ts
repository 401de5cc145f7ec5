import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { authorityFault } from "../authority.ts";
import { servers } from "../contract.ts";
import { lockAliveSince, moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toStatus } from "../shape.ts";
import { readServer } from "../store.ts";

export const getStatus = verb(
  servers,
  "getStatus",
)((deps: Deps) => async ({ server }) => {
  const { clock, config, db, live } = deps;
  const { instanceId, agent } = server;
  const known = live.get(instanceId);
  const young = known !== undefined && clock.now() - known.endedAt <= config.STATUS_FRESH_MS;
  const seen = young || !agent ? known : await live.refresh({ instanceId, agent });
  // Read after the agent was asked, so that nothing in the answer is older than the question.
  const found = await withTx(db, (tx) => readServer(tx, instanceId, lockAliveSince(deps)));
  if (!found) throw authorityFault("not_found");
  return toStatus(found, seen, moment(deps));
});
