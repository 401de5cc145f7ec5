import { verb } from "#shared/contract/implement.ts";
import { readOwnOperation } from "#shared/saga/own-operation.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";

export const getOperation = verb(
  servers,
  "getOperation",
)(
  ({ db }: Deps) =>
    async ({ input, ctx, fail }) =>
      (await readOwnOperation(db, input.operationId, ctx.actor)) ?? fail("operation_not_found"),
);
