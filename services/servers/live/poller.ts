import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { limiter } from "./limiter.ts";
import type { Asked, Live } from "./live.ts";
import { isAnswered } from "./observe.ts";

export type Poller = {
  /** Resolves when every server was asked once. */
  first: Promise<void>;
  stop(): Promise<void>;
};

/** Of an interval, by how much at most the question to one server is put off, so that not all are asked at once. */
const jitter = 0.2;

/**
 * Asks every server of `targets` once per interval, until stopped. `targets` is what this replica is responsible for; while it
 * cannot be read, those known before go on being asked.
 * Servers that did not answer last time share a quarter of the places, so that dead ones, which use up their whole
 * time-out, never keep the others waiting.
 */
export function startPoller(o: {
  targets(): Promise<Asked[]>;
  live: Live;
  clock: Clock;
  log: Logger;
  intervalMs: number;
  concurrency: number;
  /** A number between 0 and 1. */
  chance?: () => number;
}): Poller {
  const { live, clock, log, intervalMs, concurrency, chance = Math.random } = o;
  const stopping = new AbortController();
  const { signal } = stopping;
  const lanes = { answering: limiter(concurrency), silent: limiter(Math.ceil(concurrency / 4)) };
  const asking = new Map<string, Promise<void>>();

  const ask = async (server: Asked, delayMs: number) => {
    await clock.sleep(delayMs, signal);
    const seen = live.get(server.instanceId);
    const lane = seen && !isAnswered(seen) ? lanes.silent : lanes.answering;
    await lane(async () => {
      if (!signal.aborted) await live.refresh(server);
    });
  };

  const askAll = (servers: Asked[], delayMs: () => number) => {
    live.retain(new Set(servers.map((server) => server.instanceId)));
    for (const server of servers) {
      if (asking.has(server.instanceId)) continue;
      const asked = ask(server, delayMs()).finally(() => asking.delete(server.instanceId));
      asking.set(server.instanceId, asked);
    }
  };

  const { promise: first, resolve: firstDone } = Promise.withResolvers<void>();
  const run = async () => {
    let servers: Asked[] | undefined;
    while (!signal.aborted) {
      const begun = clock.now();
      const isFirst = servers === undefined;
      try {
        servers = await o.targets();
      } catch (err) {
        log.warn({ err }, "the servers to ask could not be read; those known before are asked");
      }
      if (servers) askAll(servers, () => (isFirst ? 0 : chance() * jitter * intervalMs));
      if (servers && isFirst) void Promise.all(asking.values()).then(() => firstDone());
      await clock.sleep(Math.max(0, begun + intervalMs - clock.now()), signal);
    }
    firstDone();
  };
  const done = run();
  return {
    first,
    async stop() {
      stopping.abort();
      await done;
      await Promise.all(asking.values());
    },
  };
}
