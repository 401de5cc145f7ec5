import type { AgentAccess } from "#shared/contract/authority.ts";
import type { Clock } from "#shared/process/clock.ts";
import { type Observation, observe, type Questions } from "./observe.ts";

export type Asked = { instanceId: string; agent: AgentAccess };

/** The last observation of every server, in memory: reads never wait for an agent. */
export type Live = {
  get(instanceId: string): Observation | undefined;
  /** Asks the agent now. Who asks while a round is under way gets that round: one agent is never asked twice at once. */
  refresh(server: Asked): Promise<Observation>;
  /** Forgets every server that is not among these. */
  retain(instanceIds: ReadonlySet<string>): void;
};

/**
 * `onChange` is told when a server is seen for the first time, or differently than before in presence or state: the
 * moments at which there may be something to reconcile.
 */
export function liveObservations(o: {
  agent(access: AgentAccess): Questions;
  clock: Clock;
  versionMs: number;
  onChange(instanceId: string): void;
}): Live {
  const last = new Map<string, Observation>();
  const rounds = new Map<string, Promise<Observation>>();

  const round = async ({ instanceId, agent }: Asked) => {
    const previous = last.get(instanceId);
    const now = () => o.clock.now();
    const seen = await observe(o.agent(agent), previous, { now, versionMs: o.versionMs });
    last.set(instanceId, seen);
    if (previous?.present !== seen.present || previous.status?.state !== seen.status?.state)
      o.onChange(instanceId);
    return seen;
  };

  return {
    get: (instanceId) => last.get(instanceId),
    refresh(server) {
      const { instanceId } = server;
      const running = rounds.get(instanceId) ?? round(server).finally(() => rounds.delete(instanceId));
      rounds.set(instanceId, running);
      return running;
    },
    retain(instanceIds) {
      for (const id of last.keys()) if (!instanceIds.has(id)) last.delete(id);
    },
  };
}
