import { accountId } from "#shared/contract/actor.ts";
import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import { lockAliveSince, moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toRow } from "../shape.ts";
import { readServersOf } from "../store.ts";

export const listServers = verb(
  servers,
  "listServers",
)((deps: Deps) => async ({ ctx }) => {
  const account = accountId(ctx.actor);
  if (account === undefined) return { servers: [] };
  const own = await withTx(deps.db, (tx) => readServersOf(tx, account, lockAliveSince(deps)));
  return { servers: own.map((server) => toRow(server, deps.live.get(server.instanceId), moment(deps))) };
});
