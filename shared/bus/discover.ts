import type { Bus } from "./connect.ts";

/** Whether any instance of a service answers the ping of the NATS services protocol within a second. */
export async function isServing(bus: Bus, service: string): Promise<boolean> {
  return bus.calls.ask(`$SRV.PING.${service}`, "", { timeoutMs: 1_000 }).then(
    () => true,
    () => false,
  );
}
