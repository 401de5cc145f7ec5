import { queueStats } from "#shared/queue/stats.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { recover, recoveryQueue } from "../recovery.ts";
import type { authForTest } from "./auth.ts";

export const mailRestMs = 300_000;

type Auth = Awaited<ReturnType<typeof authForTest>>;

/** Works on every request for a reset mail that waits, and resolves with the mail that then waits to be delivered. */
export async function deliverable(
  auth: Auth,
): Promise<{ id: string; accountId: string; requests: number }[]> {
  const worker = startWorker({
    db: auth.pg.db,
    queue: recoveryQueue,
    handle: recover({ resetMs: auth.deps.settings.resetMs, mailRestMs }),
    concurrency: 2,
    leaseMs: 30_000,
    sweepMs: 1_000,
    maxAttempts: 1,
    backoffMs: () => 1_000,
    clock: auth.clock,
    log: silentLogger,
  });
  const depth = async () => (await auth.query((tx) => queueStats(tx, recoveryQueue)))[0]?.depth ?? 0;
  while ((await depth()) > 0) await new Promise((resolve) => setImmediate(resolve));
  await worker.stop();
  return await auth.query(
    (tx) => tx<{ id: string; accountId: string; requests: number }[]>`
      select id, account_id, requests from mail where delivered_at is null order by id`,
  );
}

/** Asks for a reset mail and resolves with it. */
export async function mailFor(auth: Auth, email: string): Promise<{ id: string; accountId: string }> {
  await auth.ask("forgotPassword", { email });
  const [mail] = await deliverable(auth);
  if (!mail) throw new Error(`no mail for ${email}`);
  return mail;
}
