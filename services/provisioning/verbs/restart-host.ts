import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { provisioning } from "../contract.ts";
import type { Deps } from "../service.ts";
import { beginHostPower } from "../workflows/host-power.ts";

export const restartHost = verb(
  provisioning,
  "restartHost",
)(({ db, sagas }: Deps) => async ({ server, ctx }) => {
  const operation = await withTx(db, (tx) => beginHostPower(tx, sagas.restartHost, server, ctx));
  ctx.replyHeader("location", operation.statusUrl);
  return { ok: true, operation };
});
