import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { findArchived, findInstance as find } from "../store.ts";

export const findInstance = verb(
  servers,
  "findInstance",
)(
  ({ db }: Deps) =>
    ({ input: { instanceId } }) =>
      withTx(db, async (tx) => {
        const [instance, archivedInstance] = [await find(tx, instanceId), await findArchived(tx, instanceId)];
        return {
          instance: instance ?? null,
          archived: archivedInstance !== undefined,
          archivedInstance: archivedInstance ?? null,
        };
      }),
);
