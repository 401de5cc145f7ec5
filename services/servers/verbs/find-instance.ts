import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { findInstance as find, isArchived } from "../store.ts";

export const findInstance = verb(
  servers,
  "findInstance",
)(
  ({ db }: Deps) =>
    ({ input }) =>
      withTx(db, async (tx) => ({
        instance: (await find(tx, input.instanceId)) ?? null,
        archived: await isArchived(tx, input.instanceId),
      })),
);
