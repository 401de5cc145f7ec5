import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { provisioning } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getOperation = verb(
  provisioning,
  "getOperation",
)(({ db }: Deps) => async ({ input, ctx, fail }) => {
  const found = await withTx(db, (tx) => readOperation(tx, input.operationId), { readOnly: true });
  // Another's operation is answered like one that does not exist.
  const { actor } = ctx;
  const mayRead = actor.kind !== "account" || actor.role === "operator" || actor.id === found?.customerId;
  if (!found || !mayRead) return fail("operation_not_found");
  return found.operation;
});
