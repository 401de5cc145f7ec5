import { type Clock } from "#shared/process/clock.ts";
import type { HostDriver } from "./adapters/host-driver.ts";
import type { Runtime } from "./catalog.ts";
import { ask } from "./workflows/host-calls.ts";

/** Resolves with the runtimes that the host has, the default first; `service.unavailable` when it was never asked and is silent. */
export type Runtimes = () => Promise<readonly Runtime[]>;

/**
 * The runtimes of dev containers, as the host names them; an answer counts for `freshMs` milliseconds. A catalogue is
 * public, so any number of readers share one question, and a host that is silent is described as it was last.
 */
export function runtimesOf(o: {
  driver: Pick<HostDriver, "runtimes">;
  clock: Clock;
  freshMs: number;
}): Runtimes {
  let known: { at: number; runtimes: readonly Runtime[] } | undefined;
  let asking: Promise<readonly Runtime[]> | undefined;
  const look = async () => {
    try {
      const runtimes = (await ask(o.driver.runtimes())).map(choosable);
      known = { at: o.clock.now(), runtimes };
      return runtimes;
    } catch (error) {
      if (known) return known.runtimes;
      throw error;
    } finally {
      asking = undefined;
    }
  };
  return async () => {
    if (known && o.clock.now() - known.at < o.freshMs) return known.runtimes;
    asking ??= look();
    // Who asks has less patience than a call to the host: what is known already is told while it is looked at again.
    return known ? known.runtimes : asking;
  };
}

const choosable = ({ id, name, version }: { id: string; name: string; version: string }): Runtime => ({
  id,
  name,
  versions: [version],
  defaultVersion: version,
  requires: [],
  available: true,
});
