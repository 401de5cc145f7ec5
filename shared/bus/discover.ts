import type { Bus } from "./connect.ts";

/** Whether any instance of a service answers the ping of the NATS services protocol within `timeoutMs`. */
export async function isServing(bus: Bus, service: string, timeoutMs = 1_000): Promise<boolean> {
  return bus.calls.ask(`$SRV.PING.${service}`, "", { timeoutMs }).then(
    () => true,
    () => false,
  );
}
