import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { provisioning } from "../contract.ts";
import type { Deps } from "../service.ts";
import { beginHostPower } from "../workflows/host-power.ts";

export const startHost = verb(
  provisioning,
  "startHost",
)(({ db, sagas }: Deps) => async ({ server, ctx }) => {
  const operation = await withTx(db, (tx) => beginHostPower(tx, sagas.startHost, server, ctx));
  ctx.replyHeader("location", operation.statusUrl);
  return { ok: true, operation };
});
