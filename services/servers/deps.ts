import { operatorNotes } from "./audit.ts";
import { liveObservations } from "./live/live.ts";
import type { Observation } from "./live/observation.ts";
import { lockLife } from "./moment.ts";
import { recordsOf } from "./live/records.ts";
import type { Deps } from "./service.ts";

/** What the service needs and does not make itself. */
export type Outside = Pick<Deps, "db" | "clock" | "log" | "config" | "billing" | "agent">;

/** What verbs, reconciler and workflows work with: the outside, and the memory of this process. */
export function depsOf(
  outside: Outside,
  o: {
    reconcile: Deps["reconcile"];
    onSeen?: (instanceId: string, seen: Observation) => void;
    look?: Deps["look"];
  },
): Deps {
  const { db, clock, config } = outside;
  const live = liveObservations({
    agent: (access) => outside.agent(access, config.AGENT_CALL_MS),
    clock,
    versionMs: config.AGENT_VERSION_MS,
    onChange: o.reconcile,
    ...(o.onSeen ? { onSeen: o.onSeen } : {}),
  });
  return {
    ...outside,
    live,
    records: recordsOf({
      db,
      clock,
      ttlMs: config.RECORD_MS,
      lockLife: lockLife(outside),
    }),
    notes: operatorNotes(() => clock.now()),
    reconcile: o.reconcile,
    look: o.look ?? ((server) => void live.refresh(server)),
  };
}
