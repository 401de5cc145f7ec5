import { gateMatrix, resolveUrl, type ServerBillingState } from "#services/billing/contract.ts";
import { authorityErrors } from "#services/servers/contract.ts";
import { declaredCodes } from "#shared/bus/authority.ts";
import { type ServerAction, serverActions, type ServerFacts } from "#shared/contract/authority.ts";
import type { Authority } from "#shared/contract/dispatch.ts";
import { Fault } from "#shared/fault/fault.ts";

type Lock = {
  operationId: string;
  fence: number;
  type: string;
  phase: string | null;
  message: string | null;
};
type Held = { instanceId: string; operationId: string; fence: number };

/** Operation locks as the registry keeps them; `beats` are the heartbeats that were heard, in their order. */
export function locksForTest() {
  const locks = new Map<string, Lock>();
  const fences = new Map<string, number>();
  const beats: (Held & { type: string; phase: string | null; message: string | null })[] = [];
  const held = ({ instanceId, operationId, fence }: Held) => {
    const lock = locks.get(instanceId);
    return lock?.operationId === operationId && lock.fence === fence ? lock : undefined;
  };
  return {
    locks,
    beats,
    held,
    /** Takes the lock for an operation, which may have it already; undefined while another one holds it. */
    take(instanceId: string, operationId: string, type: string): Lock | undefined {
      const found = locks.get(instanceId);
      if (found) return found.operationId === operationId ? found : undefined;
      const fence = (fences.get(instanceId) ?? 0) + 1;
      fences.set(instanceId, fence);
      const lock = { operationId, fence, type, phase: null, message: null };
      locks.set(instanceId, lock);
      return lock;
    },
    beat(beat: (typeof beats)[number]): boolean {
      beats.push(beat);
      const lock = held(beat);
      if (lock) Object.assign(lock, { type: beat.type, phase: beat.phase, message: beat.message });
      return lock !== undefined;
    },
    unlock: (lock: Held): boolean => held(lock) !== undefined && locks.delete(lock.instanceId),
  };
}
export type TestLocks = ReturnType<typeof locksForTest>;

/** `policy.server` as the owner of servers decides it, over the servers that `find` knows by their public id. */
export function authorityForTest(o: {
  locks: TestLocks;
  billing: ReadonlyMap<string, ServerBillingState>;
  find(serverId: string, action: ServerAction): ServerFacts | undefined;
}): Authority {
  return {
    errors: declaredCodes("servers", authorityErrors),
    unlock: async (lock) => void o.locks.unlock(lock),
    async authorize({ serverId, action, operationId }, { actor }) {
      const facts = o.find(serverId, action);
      const foreign = actor.kind === "account" && actor.role === "customer" && actor.id !== facts?.customerId;
      if (!facts || foreign) throw refusal("servers.not_found", 404);
      const state = o.billing.get(facts.customerId) ?? "allowed";
      const details = { state, action, since: "2030-01-01T00:00:00.000Z", resolveUrl };
      if (!gateMatrix[action].includes(state)) throw refusal("billing.gated", 402, details);
      if (!serverActions[action].exclusive || operationId === undefined) return facts;
      const lock = o.locks.take(facts.instanceId, operationId, action);
      const holder = o.locks.locks.get(facts.instanceId);
      if (!lock)
        throw refusal("servers.busy", 409, { operation: { id: holder?.operationId, type: holder?.type } });
      return { ...facts, lock: { operationId, fence: lock.fence } };
    },
  };
}

export const refusal = (code: string, status: number, details?: Record<string, unknown>) =>
  new Fault({ code, status, title: code, details });
