import type { z } from "zod";
import { broadcast, onBroadcast } from "#shared/bus/broadcast.ts";
import type { Bus } from "#shared/bus/connect.ts";
import { newId } from "#shared/ids/ids.ts";
import { servers } from "../contract.ts";
import type { Observation } from "./observation.ts";
import type { Touched } from "../store.ts";

type Broadcasts = NonNullable<typeof servers.broadcasts>;
type Said<K extends keyof Broadcasts> = Omit<z.output<Broadcasts[K]["data"]>, "by">;

/** The other processes of this service. What is told them may get lost; each finds out later by itself. */
export type Replicas = {
  /** The name of this one among them. */
  id: string;
  tellSeen: (instanceId: string, observation: Observation) => void;
  /** Told together once the present task has run, and before anything that waits for its end. */
  tellTouched: (what: Touched) => void;
  listen: (heard: Listener) => { stop(): void };
};
export type Listener = {
  seen: (said: Said<"observationMade">) => void;
  touched: (what: Touched) => void;
};

export function replicasOver(bus: Bus): Replicas {
  const id = newId("rpl");
  const waiting = { instanceIds: new Set<string>(), customerIds: new Set<string>() };
  const flush = () => {
    const [instanceIds, customerIds] = [[...waiting.instanceIds], [...waiting.customerIds]];
    waiting.instanceIds.clear();
    waiting.customerIds.clear();
    broadcast(bus, servers, "recordsChanged", { by: id, instanceIds, customerIds });
  };
  return {
    id,
    tellSeen: (instanceId, observation) =>
      broadcast(bus, servers, "observationMade", { by: id, instanceId, observation }),
    tellTouched(what) {
      if (waiting.instanceIds.size + waiting.customerIds.size === 0) queueMicrotask(flush);
      if ("instanceId" in what) waiting.instanceIds.add(what.instanceId);
      else waiting.customerIds.add(what.customerId);
    },
    listen(heard) {
      const seen = onBroadcast(bus, servers, "observationMade", (said) => {
        if (said.by !== id) heard.seen(said);
      });
      const touched = onBroadcast(bus, servers, "recordsChanged", (said) => {
        if (said.by === id) return;
        for (const instanceId of said.instanceIds) heard.touched({ instanceId });
        for (const customerId of said.customerIds) heard.touched({ customerId });
      });
      return {
        stop() {
          seen.stop();
          touched.stop();
        },
      };
    },
  };
}

/** A process without others. */
export const alone = (): Replicas => ({
  id: newId("rpl"),
  tellSeen: () => {},
  tellTouched: () => {},
  listen: () => ({ stop: () => {} }),
});
