import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { limiter } from "./limiter.ts";
import type { Asked, Live } from "./live.ts";
import { isAnswered } from "./observation.ts";

/** A live server, and what the poller has to do with it. */
export type Polled = Asked & {
  /** This replica asks its agent; another one tells what it heard of the others. */
  mine: boolean;
  /** Its host was stopped as its customer wished: nobody is expected to answer. */
  resting: boolean;
};

export type Poller = {
  /** Resolves when every server was asked once. */
  first: Promise<void>;
  stop(): Promise<void>;
};

/** Of an interval, by how much at most the question to one server is put off, so that not all are asked at once. */
const jitter = 0.2;

/** How many intervals pass between two questions to a server whose host is stopped. */
const restingRounds = 6;

/**
 * Asks every server of `targets` that is this replica's once per interval, until stopped; at the start those of the
 * others, too, so that a new replica knows them all before anybody asks it. While `targets` cannot be read, those known before go
 * on being asked.
 *
 * Nobody waits for the dead, who use up their whole time-out: a question without an answer gives its place to the next
 * after `patienceMs`, and servers that did not answer last time share a quarter of the places. So even when every
 * agent dies at once, the living are asked in time, and the questions under way are bounded by places × time-out ÷ patience.
 */
export function startPoller(o: {
  targets(): Promise<Polled[]>;
  live: Live;
  clock: Clock;
  log: Logger;
  intervalMs: number;
  concurrency: number;
  patienceMs: number;
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
    let round: Promise<unknown> | undefined;
    await lane(async () => {
      if (signal.aborted) return;
      const answered = new AbortController();
      round = live.refresh(server).finally(() => answered.abort());
      await clock.sleep(o.patienceMs, answered.signal);
    });
    await round;
  };

  const isDue = ({ instanceId, mine, resting }: Polled, isFirst: boolean) => {
    const seen = live.get(instanceId);
    if (isFirst || !seen) return isFirst || mine;
    return mine && (!resting || clock.now() - seen.endedAt >= restingRounds * intervalMs);
  };

  const askAll = (servers: Polled[], isFirst: boolean) => {
    for (const server of servers) {
      if (asking.has(server.instanceId) || !isDue(server, isFirst)) continue;
      const delayMs = isFirst ? 0 : chance() * jitter * intervalMs;
      const asked = ask(server, delayMs).finally(() => asking.delete(server.instanceId));
      asking.set(server.instanceId, asked);
    }
  };

  const { promise: first, resolve: firstDone } = Promise.withResolvers<void>();
  const run = async () => {
    let servers: Polled[] | undefined;
    while (!signal.aborted) {
      const begun = clock.now();
      const isFirst = servers === undefined;
      try {
        servers = await o.targets();
        live.retain(new Set(servers.map((server) => server.instanceId)), begun);
      } catch (err) {
        log.warn({ err }, "the servers to ask could not be read; those known before are asked");
      }
      if (servers) askAll(servers, isFirst);
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
