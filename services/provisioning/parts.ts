import { localDriver } from "./adapters/local.ts";
import type { Config } from "./config.ts";
import { runtimesOf } from "./runtimes.ts";
import type { Deps } from "./service.ts";
import { sagasOf } from "./workflows/sagas.ts";

type Outside = Pick<Deps, "db" | "clock" | "servers" | "billing">;

/** The parts wired, by the service's settings, over a world that `main.ts` and the tests bring. */
export function partsOf(outside: Outside, settings: Config): Deps {
  const driver = localDriver({
    url: settings.LOCAL_HOST_URL,
    token: settings.LOCAL_HOST_TOKEN,
    timeoutMs: settings.PROVISIONING_HOST_TIMEOUT_MS,
    slowTimeoutMs: settings.PROVISIONING_HOST_SLOW_MS,
  });
  return {
    ...outside,
    driver,
    runtimes: runtimesOf({ driver, clock: outside.clock, freshMs: settings.PROVISIONING_CATALOG_MS }),
    sagas: sagasOf(settings),
    installation: settings.ZPACK_INSTALLATION,
    joinMs: settings.PROVISIONING_JOIN_MS,
  };
}
