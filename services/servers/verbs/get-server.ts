import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { authorityFault } from "../authority.ts";
import { servers } from "../contract.ts";
import { lockAliveSince, moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toRow } from "../shape.ts";
import { readServer } from "../store.ts";

export const getServer = verb(
  servers,
  "getServer",
)((deps: Deps) => async ({ server }) => {
  const { instanceId } = server;
  const found = await withTx(deps.db, (tx) => readServer(tx, instanceId, lockAliveSince(deps)));
  if (!found) throw authorityFault("not_found");
  return toRow(found, deps.live.get(instanceId), moment(deps));
});
