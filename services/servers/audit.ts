import type { Actor } from "#shared/contract/actor.ts";
import { type ServerAction, serverActions } from "#shared/contract/authority.ts";
import type { CallMeta } from "#shared/contract/dispatch.ts";
import type { Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { afterCommit } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { servers } from "./contract.ts";

const minuteMs = 60_000;

/** An operator's use of another's server. */
export type Use = {
  actor: Extract<Actor, { kind: "account" }>;
  action: ServerAction;
  instanceId: string;
};
type Meta = Pick<CallMeta, "address" | "requestId">;

/**
 * Tells the audit log of operators who use the servers of others. What is not exclusive is told once per operator,
 * server and action in each minute: a status page that is left open is one line, not a flood. The record's id is made of
 * these, so several replicas that tell the same tell it once.
 */
export type OperatorNotes = {
  /** Whether this process has told it already. */
  told(use: Use): boolean;
  /** In the transaction of the decision. */
  tell(tx: Tx, use: Use, server: { vmid: number; customerId: string }, meta: Meta): Promise<void>;
};

export function operatorNotes(now: () => number): OperatorNotes {
  let minute = 0;
  const known = new Set<string>();
  const idOf = ({ actor, action, instanceId }: Use): string | undefined => {
    if (serverActions[action].exclusive) return undefined;
    const present = Math.floor(now() / minuteMs);
    if (present !== minute) known.clear();
    minute = present;
    const name = [actor.id, action, instanceId, minute].join(" ");
    return `aud_${new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 26)}`;
  };
  return {
    told(use) {
      const id = idOf(use);
      return id !== undefined && known.has(id);
    },
    async tell(tx, use, { vmid, customerId }, { address, requestId }) {
      const id = idOf(use);
      if (id !== undefined && known.has(id)) return;
      const { actor, action, instanceId: target } = use;
      const key = id ?? newId("aud");
      await emit(tx, servers.events.auditRecorded, {
        key,
        version: 1,
        data: {
          id: key,
          actor: actor.id,
          via: actor.via,
          action,
          target,
          customerId,
          address: address ?? null,
          requestId,
          at: new Date(now()).toISOString(),
          details: { vmid },
        },
      });
      afterCommit(tx, () => void (id !== undefined && known.add(id)));
    },
  };
}
