import { z } from "zod";
import { emit } from "#shared/db/outbox.ts";
import { anonymous } from "#shared/contract/actor.ts";
import type { Run } from "#shared/queue/fence.ts";
import { note } from "./audit.ts";
import { gateway } from "./contract.ts";
import { findByEmail } from "./store/accounts.ts";
import { requestMail } from "./store/mail.ts";

/** The queue of requests for a reset mail, one job per e-mail address. */
export const recoveryQueue = "gateway_recovery";

const Request = z.object({
  email: z.string(),
  address: z.string().nullable(),
  requestId: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
});

/** Turns a request for a reset mail into mail and its news, where an account has that address; on record either way. */
export async function recover(run: Run): Promise<void> {
  const { email, address, requestId, at } = Request.parse(run.job.payload);
  await run.fenced(async (tx) => {
    const account = await findByEmail(tx, email);
    const ctx = { actor: anonymous, address: address ?? undefined, requestId };
    await note(tx, ctx, at, { action: "password.forgot", target: account?.id ?? null });
    if (!account) return;
    const { id: mailId, requests: version } = await requestMail(tx, "password_reset", account.id);
    const data = { mailId, accountId: account.id };
    await emit(tx, gateway.events.passwordResetRequested, { key: mailId, version, data });
  });
}
