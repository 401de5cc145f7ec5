import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { listWaitingMail } from "../store/mail.ts";

export const listMail = verb(
  gateway,
  "listMail",
)(({ db }: Deps) => async ({ input: { limit, cursor: after = "" } }) => {
  const found = await withTx(db, (tx) => listWaitingMail(tx, { after, limit: limit + 1 }), {
    readOnly: true,
  });
  const page = found.slice(0, limit);
  return {
    ok: true,
    mail: page.map((mail) => ({ ...mail, createdAt: mail.createdAt.toISOString() })),
    next: found.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
});
