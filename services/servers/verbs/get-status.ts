import { verb } from "#shared/contract/implement.ts";
import { authorityFault } from "../authority.ts";
import { servers } from "../contract.ts";
import { moment } from "../moment.ts";
import type { Deps } from "../service.ts";
import { toStatus } from "../shape.ts";

export const getStatus = verb(
  servers,
  "getStatus",
)((deps: Deps) => async ({ server: { instanceId } }) => {
  const { clock, config, records, live } = deps;
  let known = await records.find({ instanceId });
  let seen = live.get(instanceId);
  const young = seen !== undefined && clock.now() - seen.endedAt <= config.STATUS_FRESH_MS;
  // Nobody is expected to answer where the host was stopped, so nobody waits for it either.
  if (known && !young && known.server.hostDesired === "running") {
    const { agent } = known;
    seen = await live.refresh({ instanceId, agent });
    // Looked up after the agent was asked, so that nothing in the answer is older than the question.
    known = await records.find({ instanceId });
  }
  if (!known) throw authorityFault("not_found");
  return toStatus(known.server, seen, moment(deps));
});
