import { AgentStatus } from "#shared/agent/contract.ts";
import type { Observation } from "../live/observation.ts";

/** What is seen of a game that runs and is ready; `change` makes it another. */
export function observation(
  change: Partial<Omit<Observation, "status">> & { status?: Partial<AgentStatus> | null } = {},
): Observation {
  const { status = {}, ...rest } = change;
  const at = rest.endedAt ?? 0;
  return {
    begunAt: at,
    endedAt: at,
    present: true,
    seenAt: at,
    ready: { ready: true, reason: "ok", answeredAt: at },
    error: null,
    version: null,
    players: null,
    status: status && AgentStatus.parse({ state: "running", ...status }),
    ...rest,
  };
}
