import { verb } from "#shared/contract/implement.ts";
import { authorityFault } from "../authority.ts";
import { servers } from "../contract.ts";
import { moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toRow } from "../shape.ts";

export const getServer = verb(
  servers,
  "getServer",
)((deps: Deps) => async ({ server: { instanceId } }) => {
  const known = await deps.records.find({ instanceId });
  if (!known) throw authorityFault("not_found");
  return toRow(known.server, deps.live.get(instanceId), moment(deps));
});
