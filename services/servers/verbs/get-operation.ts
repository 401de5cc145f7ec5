import { verb } from "#shared/contract/implement.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { withTx } from "#shared/db/tx.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getOperation = verb(
  servers,
  "getOperation",
)(({ db }: Deps) => async ({ input, ctx, fail }) => {
  const found = await withTx(db, (tx) => readOperation(tx, input.operationId));
  if (!found || !mayRead(ctx.actor, found.customerId)) return fail("operation_not_found");
  return found.operation;
});

const mayRead = (actor: Actor, customerId: string): boolean =>
  actor.kind === "service" ||
  (actor.kind === "account" && (actor.role === "operator" || actor.id === customerId));
