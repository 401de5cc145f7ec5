import { agentClient } from "#shared/agent/client.ts";
import { exponential } from "#shared/queue/backoff.ts";
import type { WakeBus } from "#shared/queue/wakes.ts";
import { startWorker, type Worker } from "#shared/queue/worker.ts";
import { sagaHandler } from "#shared/saga/handler.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Config } from "./config.ts";
import { type CreateGame, queue } from "./workflows/create-game.ts";
import type { CreationDeps } from "./workflows/creation.ts";

type Outside = Pick<CreationDeps, "db" | "clock" | "driver" | "servers">;

/** Works on the provisioning queue: every job is a saga that is resumed from its log. */
export function startProvisioningWorker(
  o: Outside & { createGame: CreateGame; settings: Config; log: Logger; wake?: WakeBus },
): Worker {
  const { db, settings, clock, log, wake } = o;
  const backoffMs = exponential(settings.PROVISIONING_RETRY_MS, 30_000);
  return startWorker({
    db,
    queue,
    handle: sagaHandler([o.createGame], creationDeps(o), { clock, log, backoffMs }),
    concurrency: settings.PROVISIONING_CONCURRENCY,
    leaseMs: settings.PROVISIONING_LEASE_MS,
    sweepMs: settings.PROVISIONING_SWEEP_MS,
    // A saga decides itself when to give up; a job that fails nevertheless is a fault of ours that must not be final.
    maxAttempts: 1_000_000,
    backoffMs,
    clock,
    log,
    ...(wake ? { wake } : {}),
  });
}

/** What the steps of a creation work with, by the service's settings. */
export function creationDeps(o: Outside & { settings: Config }): CreationDeps {
  const { db, clock, driver, servers, settings } = o;
  return {
    db,
    clock,
    driver,
    servers,
    agent: (access) => agentClient({ ...access, timeoutMs: settings.PROVISIONING_AGENT_TIMEOUT_MS }),
    installation: settings.ZPACK_INSTALLATION,
    settings: {
      clonesPerStorage: settings.PROVISIONING_CLONES_PER_STORAGE,
      // Above everything that one clone step waits for at the host.
      cloneLeaseMs: 6 * settings.PROVISIONING_HOST_TIMEOUT_MS,
      pollMs: settings.PROVISIONING_POLL_MS,
      addressMs: settings.PROVISIONING_ADDRESS_MS,
      readyMs: settings.PROVISIONING_READY_MS,
      stopMs: settings.PROVISIONING_STOP_MS,
    },
  };
}
