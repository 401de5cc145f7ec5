import { type Polled, startPoller } from "./poller.ts";
import type { Deps } from "../service.ts";
import { leavePolling, shareOut } from "../store.ts";

export type Polling = {
  /** Resolves when every server was asked once. */
  first: Promise<void>;
  /** The servers that this replica asks, as of its last round. */
  mine(): string[];
  stop(): Promise<void>;
};

/** Asks the agents that fall to the replica `pollerId`, as one of any number of replicas on one database. */
export function startPolling({ db, clock, log, config, live }: Deps, pollerId: string): Polling {
  let known: Polled[] = [];
  const poller = startPoller({
    targets: async () => (known = await shareOut(db, { pollerId, leaseMs: config.AGENT_LEASE_MS })),
    live,
    clock,
    log,
    intervalMs: config.AGENT_POLL_MS,
    concurrency: config.AGENT_POLL_CONCURRENCY,
    patienceMs: config.AGENT_PATIENCE_MS,
  });
  return {
    first: poller.first,
    mine: () => known.filter(({ mine }) => mine).map(({ instanceId }) => instanceId),
    async stop() {
      await poller.stop();
      await leavePolling(db, pollerId).catch((err: unknown) =>
        log.warn({ err }, "what this replica asked falls to the others when its lease has run out"),
      );
    },
  };
}
