import { z } from "zod";
import { emit } from "#shared/db/outbox.ts";
import { anonymous } from "#shared/contract/actor.ts";
import type { Run } from "#shared/queue/fence.ts";
import { note } from "./audit.ts";
import { gateway } from "./contract.ts";
import { findByEmail } from "./store/accounts.ts";
import { hasTokenUntil, requestMail } from "./store/mail.ts";

/** The queue of requests for a reset mail, one job per e-mail address. */
export const recoveryQueue = "gateway_recovery";

const Request = z.object({
  email: z.string(),
  address: z.string().nullable(),
  requestId: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
});

export type RecoverySettings = {
  /** Lifetime of a reset token since it was made. */
  resetMs: number;
  /** How long nobody is sent a further mail while the token of the last one can still be used. */
  mailRestMs: number;
};

/**
 * Turns a request for a reset mail into mail and its news, where an account has that address; on record either way. Not
 * while a mail of just now is as good: whoever asks in a stranger's name must not fill his mailbox.
 */
export const recover =
  (settings: RecoverySettings) =>
  async (run: Run): Promise<void> => {
    const { email, address, requestId, at } = Request.parse(run.job.payload);
    const fresh = new Date(at + settings.resetMs - settings.mailRestMs);
    await run.fenced(async (tx) => {
      const account = await findByEmail(tx, email);
      const ctx = { actor: anonymous, address: address ?? undefined, requestId };
      await note(tx, ctx, at, { action: "password.forgot", target: account?.id ?? null });
      if (!account || (await hasTokenUntil(tx, account.id, fresh))) return;
      const { id: mailId, requests: version } = await requestMail(tx, "password_reset", account.id);
      const data = { mailId, accountId: account.id };
      await emit(tx, gateway.events.passwordResetRequested, { key: mailId, version, data });
    });
  };
