import type { z } from "zod";
import type { Broadcasts } from "#shared/contract/define.ts";
import { type Bus, tell } from "./connect.ts";

type Speaker<B extends Broadcasts> = { service: string; broadcasts?: B };

/**
 * Tells every replica of this service something, this one included, at most once. Nothing is thrown and nothing is
 * kept while the bus is away: whoever relies on it needs another way to find out later.
 */
export function broadcast<B extends Broadcasts, K extends keyof B & string>(
  bus: Bus,
  contract: Speaker<B>,
  name: K,
  data: z.input<B[K]["data"]>,
): void {
  tell(bus, definitionOf(contract, name).subject, JSON.stringify(data));
}

/** Calls `handle` for each broadcast of that name until stopped. What cannot be read, or handled, is logged and dropped. */
export function onBroadcast<B extends Broadcasts, K extends keyof B & string>(
  bus: Bus,
  contract: Speaker<B>,
  name: K,
  handle: (data: z.output<B[K]["data"]>) => void,
): { stop(): void } {
  const definition = definitionOf(contract, name);
  const subscription = bus.nc.subscribe(definition.subject, {
    callback: (err, message) => {
      if (err) return;
      try {
        handle(definition.data.parse(message.json()) as z.output<B[K]["data"]>);
      } catch (error) {
        bus.log.error({ err: error, broadcast: name }, "a broadcast was dropped");
      }
    },
  });
  return { stop: () => subscription.unsubscribe() };
}

function definitionOf<B extends Broadcasts>(contract: Speaker<B>, name: keyof B & string) {
  const definition = contract.broadcasts?.[name];
  if (!definition) throw new Error(`${contract.service} declares no broadcast ${name}`);
  return definition;
}
