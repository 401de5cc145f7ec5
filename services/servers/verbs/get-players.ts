import { AgentError, agentFault } from "#shared/agent/error.ts";
import { verb } from "#shared/contract/implement.ts";
import { isDown, present } from "../axes.ts";
import { servers } from "../contract.ts";
import { moment } from "../moment.ts";
import type { Deps } from "../service.ts";

const nobody = () => ({ ok: true as const, online: 0, max: 0, players: [] });

/** Nobody plays a game that does not run, so that is an answer; what the agent refuses of a running one is its own. */
export const getPlayers = verb(
  servers,
  "getPlayers",
)((deps: Deps) => async ({ server, fail }) => {
  if (server.ctype !== "game") return fail("not_a_game");
  const { instanceId, agent } = server;
  const { status } = present(deps.live.get(instanceId), moment(deps));
  const halted = (await deps.records.find({ instanceId }))?.server.hostDesired === "stopped";
  if (!agent || halted || (status && isDown(status.state))) return nobody();
  try {
    return { ok: true, ...(await deps.agent(agent, deps.config.AGENT_CALL_MS).players()) };
  } catch (error) {
    throw error instanceof AgentError ? agentFault(error) : error;
  }
});
