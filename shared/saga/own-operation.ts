import type { Actor } from "#shared/contract/actor.ts";
import type { Operation } from "#shared/contract/operation.ts";
import type { Db } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { readOperation } from "./operation.ts";

/**
 * The operation of that id, for its owner, an operator or a service; undefined, alike, when there is none and when it
 * is another's. Its owner reads it also when the server is gone.
 */
export async function readOwnOperation(db: Db, id: string, actor: Actor): Promise<Operation | undefined> {
  const found = await withTx(db, (tx) => readOperation(tx, id), { readOnly: true });
  return found && mayRead(actor, found.customerId) ? found.operation : undefined;
}

const mayRead = (actor: Actor, customerId: string): boolean =>
  actor.kind === "service" ||
  (actor.kind === "account" && (actor.role === "operator" || actor.id === customerId));
