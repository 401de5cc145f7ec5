import { type Bus, tell } from "./connect.ts";

/** Wakes workers in every replica of the service. A lost wake costs a sweep interval, nothing else. */
export type WakeBus = {
  notify(queue: string): void;
  /** Returns the function that ends the subscription. */
  subscribe(queue: string, wake: () => void): () => void;
};

export function wakeBus(bus: Bus): WakeBus {
  const subject = (queue: string) => `wake.${bus.name}.${queue}`;
  return {
    notify: (queue) => tell(bus, subject(queue)),
    subscribe: (queue, wake) => {
      const subscription = bus.nc.subscribe(subject(queue), { callback: (err) => void (err ?? wake()) });
      return () => subscription.unsubscribe();
    },
  };
}
