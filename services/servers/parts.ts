import type { Running } from "#shared/process/run.ts";
import { exponential } from "#shared/queue/backoff.ts";
import type { WakeBus } from "#shared/queue/wakes.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { type Reconciler, startReconciler } from "#shared/reconcile/reconcile.ts";
import { localAuthority } from "./authority.ts";
import { depsOf, type Outside } from "./deps.ts";
import { startPolling } from "./live/polling.ts";
import { powerQueue } from "./power.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { reconcileServer } from "./reconcile.ts";
import type { Replicas } from "./live/replicas.ts";
import { type Deps, serversService } from "./service.ts";
import { onTouched } from "./store.ts";
import { settlePower } from "./workflows/power.ts";

/** How long the start waits for the first round of questions, so that a restart blanks nobody's servers. */
const firstRoundMs = 3_000;

/** The parts of the service, wired: what `main.ts` runs, and what a test runs with agents and settings of its own. */
export async function startParts(
  o: Outside & { wake: WakeBus; replicas: Replicas },
): Promise<Running & { deps: Deps }> {
  const { db, clock, log, config, replicas } = o;
  let reconciler: Reconciler | undefined;
  const deps = depsOf(o, {
    reconcile: (instanceId) => reconciler?.wake(instanceId),
    onSeen: replicas.tellSeen,
  });
  const { live, records } = deps;
  const touched = onTouched(db, (what) => {
    records.forget(what);
    replicas.tellTouched(what);
  });
  const heard = replicas.listen({
    seen: ({ instanceId, observation }) => live.learn(instanceId, observation),
    touched: records.forget,
  });
  const polling = startPolling(deps, replicas.id);
  const begun = new AbortController();
  await Promise.race([polling.first, clock.sleep(firstRoundMs, begun.signal)]);
  begun.abort();
  reconciler = startReconciler({
    name: "servers",
    list: async () => polling.mine(),
    reconcile: reconcileServer(deps),
    resyncMs: config.RECONCILE_SWEEP_MS,
    concurrency: 8,
    backoffMs: exponential(500, config.RECONCILE_SWEEP_MS),
    clock,
    log,
  });
  const worker = startWorker({
    db,
    queue: powerQueue,
    handle: settlePower(deps),
    concurrency: 32,
    leaseMs: config.POWER_LEASE_MS,
    sweepMs: config.POWER_SWEEP_MS,
    maxAttempts: 1_000,
    backoffMs: exponential(config.POWER_POLL_MS, 10_000),
    clock,
    log,
    wake: o.wake,
  });
  const service = serversService(deps);
  return {
    deps,
    service,
    authority: localAuthority(deps),
    reactions: [accountChanged(deps)],
    workers: [polling, reconciler, worker, heard, { stop: touched }],
  };
}
