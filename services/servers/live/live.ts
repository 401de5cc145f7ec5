import type { AgentAccess } from "#shared/contract/authority.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Observation } from "./observation.ts";
import { observe, type Questions } from "./observe.ts";

export type Asked = { instanceId: string; agent: AgentAccess };

/** The last observation of every server, in memory: reads never wait for an agent. */
export type Live = {
  get(instanceId: string): Observation | undefined;
  /** Asks the agent now. Who asks while a round is under way gets that round: one agent is never asked twice at once. */
  refresh(server: Asked): Promise<Observation>;
  /** Takes over what another replica has just observed, unless a round of our own began later. */
  learn(instanceId: string, seen: Observation): void;
  /** Forgets every server that was not among these at `asOf`; one that was seen since may be new. */
  retain(instanceIds: ReadonlySet<string>, asOf: number): void;
};

/**
 * `onChange` is told when this replica sees a server for the first time, or differently than before in presence or
 * state: the moments at which there may be something to reconcile. `onSeen` is told of each of its rounds.
 */
export function liveObservations(o: {
  agent(access: AgentAccess): Questions;
  clock: Clock;
  versionMs: number;
  onChange(instanceId: string): void;
  onSeen?(instanceId: string, seen: Observation): void;
}): Live {
  const last = new Map<string, Observation>();
  const rounds = new Map<string, Promise<Observation>>();

  const round = async ({ instanceId, agent }: Asked) => {
    const previous = last.get(instanceId);
    const now = () => o.clock.now();
    const seen = await observe(o.agent(agent), previous, { now, versionMs: o.versionMs });
    last.set(instanceId, seen);
    o.onSeen?.(instanceId, seen);
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
    learn(instanceId, told) {
      const seen = shifted(told, o.clock.now() - told.endedAt);
      const own = last.get(instanceId);
      if (!own || own.begunAt <= seen.begunAt) last.set(instanceId, seen);
    },
    retain(instanceIds, asOf) {
      for (const [id, { endedAt }] of last) if (!instanceIds.has(id) && endedAt < asOf) last.delete(id);
    },
  };
}

/** By our clock: it was told as soon as it was seen, and the clocks of two machines need not agree. */
function shifted(seen: Observation, ms: number): Observation {
  const { begunAt, endedAt, seenAt, ready, version } = seen;
  const moved = (at: number | null) => (at === null ? null : at + ms);
  return {
    ...seen,
    begunAt: begunAt + ms,
    endedAt: endedAt + ms,
    seenAt: moved(seenAt),
    ready: { ...ready, answeredAt: moved(ready.answeredAt) },
    version: version && { ...version, at: version.at + ms },
  };
}
