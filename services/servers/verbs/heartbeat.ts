import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { beatLock } from "../store.ts";

export const heartbeat = verb(
  servers,
  "heartbeat",
)(({ db }: Deps) => async ({ input }) => ({
  held: await withTx(db, (tx) => beatLock(tx, input)),
}));
