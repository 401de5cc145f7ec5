import { createHash } from "node:crypto";
import { accountId } from "#shared/contract/actor.ts";
import type { ServerFacts } from "#shared/contract/authority.ts";
import type { Authority, CallMeta } from "#shared/contract/dispatch.ts";
import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { readDeletion } from "./store.ts";

/**
 * A deletion locks its server and ends with a number that resolves to nothing: asked for again, it would be refused as
 * busy or not found before its key is looked at. So the key of an account names the operation. While that is being
 * accepted, an equal request is given the same lock; when it has begun, the request is let through to its first answer
 * without a lock and whatever has become of the server.
 */
export const joinDeletes = (authority: Authority, db: Db): Authority => ({
  ...authority,
  async authorize(ask, meta) {
    const keyed = ask.action === "server.delete" ? keyedOperation(meta) : undefined;
    if (!keyed) return authority.authorize(ask, meta);
    const begun = await withTx(db, (tx) => readDeletion(tx, keyed), { readOnly: true });
    if (!begun) return authority.authorize({ ...ask, operationId: keyed.operationId }, meta);
    // Of a key whose answer was forgotten since, only the operation is left: this is a new deletion.
    if (!begun.answered || String(begun.vmid) !== ask.serverId) return authority.authorize(ask, meta);
    const { instanceId, vmid, customerId, ctype, name, hostname, node } = begun;
    return { instanceId, vmid, customerId, ctype, name, hostname, node } satisfies ServerFacts;
  },
});

/** Whose keys for deletions these are, see shared/db/idempotency. */
export const deleteScope = (account: string): string => `deleteServer:${account}`;

/** The id of the deletion that this account asks for under this key; undefined without a key or an account. */
function keyedOperation({ actor, idempotencyKey: key }: CallMeta) {
  const account = accountId(actor);
  if (account === undefined || key === undefined) return undefined;
  const digest = createHash("sha256").update(JSON.stringify(["deleteServer", account, key]));
  return { operationId: `prv_${digest.digest("hex").slice(0, 32)}`, scope: deleteScope(account), key };
}
