import { accountId, type Actor } from "#shared/contract/actor.ts";
import { verb } from "#shared/contract/implement.ts";
import { servers } from "../contract.ts";
import { lockLife, moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toRow } from "../shape.ts";
import { readServersOf } from "../store.ts";

export const listServers = verb(
  servers,
  "listServers",
)((deps: Deps) => async ({ ctx }) => ({ servers: await rowsOf(deps, ctx.actor) }));

/** The servers of the account that asks, an operator's own as well; no agent is asked. */
export async function rowsOf(deps: Deps, actor: Actor) {
  const account = accountId(actor);
  if (account === undefined) return [];
  const own = await readServersOf(deps.db, account, lockLife(deps));
  return own.map((server) => toRow(server, deps.live.get(server.instanceId), moment(deps)));
}
