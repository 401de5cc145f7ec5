import type { Bus } from "#shared/bus/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { docsScript } from "./docs.ts";
import type { Edge } from "./edge.ts";
import { health } from "./health.ts";

/** Every route that is written by hand, by name: what is not listed here does not exist. */
export function gatewayEdges(o: {
  bus: Bus;
  services: readonly string[];
  version: string;
  clock: Clock;
}): readonly Edge[] {
  return [health(o), docsScript];
}
