import type { z } from "zod";
import type { Contract, Events, Routes } from "#shared/contract/define.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { atMost, type Clock } from "#shared/process/clock.ts";
import type { Bus } from "./connect.ts";
import { durableName, EventMessage, stream } from "./events.ts";

/** What a service does when it hears of an event; built by {@link on}. */
export type Reaction = { consumed: string; handle(message: EventMessage): Promise<void> };

/**
 * Ties a handler to an event of another service. It may be called again with the same event: it stores a newer
 * version, or wakes a reconcile, and dedupes in its own transaction where repeating would matter.
 */
export function on<R extends Routes, E extends Events, K extends keyof E & string>(
  contract: Contract<R, E>,
  event: K,
  handle: (message: EventMessage<z.output<E[K]["data"]>>) => Promise<void>,
): Reaction {
  const definition = contract.events[event] as E[K];
  return {
    consumed: `${contract.service}.${event}`,
    handle: (message) =>
      handle({ ...message, data: definition.data.parse(message.data) as z.output<E[K]["data"]> }),
  };
}

/**
 * Pulls from the durable consumer of one reaction until stopped. A lost connection ends the pull, and a new one begins
 * as soon as the connection stands again and the consumer is there: the library's own way back takes seconds longer.
 */
export function consume(o: { bus: Bus; reaction: Reaction; clock: Clock; log: Logger; retryMs?: number }): {
  stop(): Promise<void>;
} {
  const { bus, reaction, clock } = o;
  const durable = durableName(bus.name, reaction.consumed);
  const log = o.log.child({ consumer: durable });
  const stopping = new AbortController();
  const { signal } = stopping;
  let current: { stop(): void } | undefined;
  const unwatch = bus.link.watch((up) => void (up || current?.stop()));

  const run = async () => {
    while (!signal.aborted) {
      await bus.link.whenUp(signal);
      try {
        const consumer = await bus.nc.jetstream({ timeout: lookupMs }).consumers.get(stream, durable);
        const messages = await consumer.consume({ max_messages: 64, expires: 5_000, idle_heartbeat: 1_000 });
        current = messages;
        // Told to stop, or lost, while the consumer was looked up: nobody else would end this iterator.
        if (signal.aborted || !bus.link.isUp) messages.stop();
        void watchForLoss(messages, log);
        for await (const message of messages) {
          // What was pulled and is not begun goes to another replica now, and not when its time is up.
          if (signal.aborted) message.nak();
          else await settle(message, reaction, log);
        }
      } catch (err) {
        log.debug({ err }, "the consumer is not there; trying again");
      }
      current = undefined;
      await clock.sleep(o.retryMs ?? 250, signal);
    }
  };
  const done = run();
  return {
    async stop() {
      stopping.abort();
      unwatch();
      // stop() and not close(): close() can wait for ever after the loop was left.
      current?.stop();
      await done;
      // Until the server knows, it goes on giving events to this consumer, and they come again when their time is up.
      if (bus.link.isUp) await atMost(flushMs, bus.nc.flush());
    },
  };
}

// An answer that was lost with the connection holds up the next look for so long.
const lookupMs = 2_000;
const flushMs = 1_000;

const losses: ReadonlySet<string> = new Set(["consumer_deleted", "stream_not_found", "consumer_not_found"]);

/**
 * Ends the iterator when the consumer was lost with its stream, so that the loop looks it up again. Missed heartbeats are
 * no loss: the library looks the consumer up by itself after some, and says here when it is gone.
 */
async function watchForLoss(
  messages: { status(): Promise<AsyncIterable<{ type: string }>>; stop(): void },
  log: Logger,
): Promise<void> {
  for await (const { type } of await messages.status()) {
    if (!losses.has(type)) continue;
    log.warn({ status: type }, "the consumer was lost");
    messages.stop();
  }
}

async function settle(
  message: { data: Uint8Array; ack(): void; nak(ms?: number): void; term(): void; json(): unknown },
  reaction: Reaction,
  log: Logger,
): Promise<void> {
  let event: EventMessage;
  try {
    event = EventMessage.parse(message.json());
  } catch (err) {
    log.error({ err }, "an event that cannot be read was dropped");
    return message.term();
  }
  try {
    await reaction.handle(event);
    message.ack();
  } catch (err) {
    log.warn({ err, event: event.id }, "a reaction failed; the event comes again");
    message.nak(1_000);
  }
}
