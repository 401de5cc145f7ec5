import { verb } from "#shared/contract/implement.ts";
import { readOwnOperation } from "#shared/saga/own-operation.ts";
import { provisioning } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getOperation = verb(
  provisioning,
  "getOperation",
)(
  ({ db }: Deps) =>
    async ({ input, ctx, fail }) =>
      (await readOwnOperation(db, input.operationId, ctx.actor)) ?? fail("operation_not_found"),
);
