import { runService } from "#shared/process/run.ts";
import { exponential } from "#shared/queue/backoff.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { enforcementQueue } from "./account.ts";
import { config } from "./config.ts";
import { billing } from "./contract.ts";
import { accountRegistered } from "./reactions/account-registered.ts";
import { reconcileAccount } from "./reconcile.ts";
import { billingService } from "./service.ts";

await runService({
  contract: billing,
  config,
  migrations: new URL("./migrations", import.meta.url).pathname,
  start: ({ config: settings, db, clock, log, wake }) => {
    const deps = { db, clock };
    return {
      service: billingService(deps),
      reactions: [accountRegistered(deps)],
      workers: [
        startWorker({
          db,
          queue: enforcementQueue,
          handle: reconcileAccount(deps),
          concurrency: 4,
          leaseMs: settings.BILLING_LEASE_MS,
          sweepMs: settings.BILLING_SWEEP_MS,
          maxAttempts: 1_000,
          backoffMs: exponential(500, 60_000),
          clock,
          log,
          wake,
        }),
      ],
    };
  },
});
