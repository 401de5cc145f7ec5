import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { settleMail } from "../store/mail.ts";

export const confirmMail = verb(
  gateway,
  "confirmMail",
)(({ db, clock }: Deps) => async ({ input: { mailId }, fail }) => {
  if (!(await withTx(db, (tx) => settleMail(tx, mailId, new Date(clock.now()))))) fail("mail_not_found");
  return { ok: true };
});
