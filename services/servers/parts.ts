import type { Running } from "#shared/process/run.ts";
import { exponential } from "#shared/queue/backoff.ts";
import type { WakeBus } from "#shared/queue/wakes.ts";
import { startWorker } from "#shared/queue/worker.ts";
import { type Reconciler, startReconciler } from "#shared/reconcile/reconcile.ts";
import { withTx } from "#shared/db/tx.ts";
import { localAuthority } from "./authority.ts";
import { liveObservations } from "./live/live.ts";
import { startPoller } from "./live/poller.ts";
import { powerQueue } from "./power.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { reconcileServer } from "./reconcile.ts";
import { type Deps, serversService } from "./service.ts";
import { readTargets } from "./store.ts";
import { settlePower } from "./workflows/power.ts";

/** How long the start waits for the first round of questions, so that a restart blanks nobody's servers. */
const firstRoundMs = 3_000;

/** The parts of the service, wired: what `main.ts` runs, and what a test runs with agents and settings of its own. */
export async function startParts(
  o: Omit<Deps, "live" | "reconcile" | "look"> & { wake: WakeBus },
): Promise<Running & { deps: Deps }> {
  const { db, clock, log, config } = o;
  let reconciler: Reconciler | undefined;
  const reconcile = (instanceId: string) => reconciler?.wake(instanceId);
  const live = liveObservations({
    agent: (access) => o.agent(access, config.AGENT_CALL_MS),
    clock,
    versionMs: config.AGENT_VERSION_MS,
    onChange: reconcile,
  });
  const deps: Deps = { ...o, live, reconcile, look: (server) => void live.refresh(server) };
  const targets = () => withTx(db, (tx) => readTargets(tx));
  const { AGENT_POLL_MS: intervalMs, AGENT_POLL_CONCURRENCY: concurrency } = config;
  const poller = startPoller({ targets, live, clock, log, intervalMs, concurrency });
  const begun = new AbortController();
  await Promise.race([poller.first, clock.sleep(firstRoundMs, begun.signal)]);
  begun.abort();
  reconciler = startReconciler({
    name: "servers",
    list: async () => (await targets()).map((target) => target.instanceId),
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
    workers: [poller, reconciler, worker],
  };
}
