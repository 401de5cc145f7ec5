import { agentClient } from "#shared/agent/client.ts";
import { exponential } from "#shared/queue/backoff.ts";
import type { WakeBus } from "#shared/queue/wakes.ts";
import { startWorker, type Worker } from "#shared/queue/worker.ts";
import { sagaHandler } from "#shared/saga/handler.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Config } from "./config.ts";
import { lockedQueue, queue, type WorkflowDeps } from "./workflows/deps.ts";
import type { Deps } from "./service.ts";
import { keepWaiting } from "./workflows/waiting.ts";

type Parts = Pick<Deps, "db" | "clock" | "driver" | "servers" | "installation">;

/**
 * Works on the queues, each with places of its own: every job is a saga that is resumed from its log. What waits for a place
 * keeps the lock of its server.
 */
export function startProvisioningWorkers(
  o: Parts & Pick<Deps, "sagas"> & { settings: Config; log: Logger; wake?: WakeBus },
): Pick<Worker, "stop">[] {
  const { db, settings, clock, log, wake } = o;
  const backoffMs = exponential(settings.PROVISIONING_RETRY_MS, 30_000);
  const common = {
    db,
    handle: sagaHandler(Object.values(o.sagas), workflowDeps(o), { clock, log, backoffMs }),
    concurrency: settings.PROVISIONING_CONCURRENCY,
    leaseMs: settings.PROVISIONING_LEASE_MS,
    sweepMs: settings.PROVISIONING_SWEEP_MS,
    // A saga decides itself when to give up; a job that fails nevertheless is a fault of ours that must not be final.
    maxAttempts: 1_000_000,
    backoffMs,
    clock,
    log,
    ...(wake ? { wake } : {}),
  };
  const { servers } = o;
  return [
    ...[queue, lockedQueue].map((each) => startWorker({ ...common, queue: each })),
    keepWaiting({ db, clock, servers, log, heartbeatMs: settings.PROVISIONING_HEARTBEAT_MS }),
  ];
}

/** What the steps of every workflow work with, by the service's settings. */
export function workflowDeps(o: Parts & { settings: Config }): WorkflowDeps {
  const { db, clock, driver, servers, installation, settings } = o;
  return {
    db,
    clock,
    driver,
    servers,
    agent: (access) => agentClient({ ...access, timeoutMs: settings.PROVISIONING_AGENT_TIMEOUT_MS }),
    installation,
    settings: {
      clonesPerStorage: settings.PROVISIONING_CLONES_PER_STORAGE,
      // Above everything that one clone step waits for at the host.
      cloneLeaseMs: 6 * settings.PROVISIONING_HOST_TIMEOUT_MS,
      cloneGiveUpMs: settings.PROVISIONING_GIVE_UP_MS,
      pollMs: settings.PROVISIONING_POLL_MS,
      addressMs: settings.PROVISIONING_ADDRESS_MS,
      readyMs: settings.PROVISIONING_READY_MS,
      stopMs: settings.PROVISIONING_STOP_MS,
      shutdownMs: settings.PROVISIONING_SHUTDOWN_MS,
      heartbeatMs: settings.PROVISIONING_HEARTBEAT_MS,
    },
  };
}
