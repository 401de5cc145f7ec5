import { billing } from "#services/billing/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { client } from "#shared/bus/client.ts";
import { runService } from "#shared/process/run.ts";
import { localDriver } from "./adapters/local.ts";
import { config } from "./config.ts";
import { provisioning } from "./contract.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { provisioningService } from "./service.ts";
import { startProvisioningWorker } from "./worker.ts";
import { createGameSaga } from "./workflows/create-game.ts";

await runService({
  contract: provisioning,
  config,
  migrations: new URL("./migrations", import.meta.url).pathname,
  start: ({ config: settings, bus, db, clock, log, wake }) => {
    const createGame = createGameSaga({
      giveUpAfterMs: settings.PROVISIONING_GIVE_UP_MS,
      addressMs: settings.PROVISIONING_ADDRESS_MS,
      readyMs: settings.PROVISIONING_READY_MS,
    });
    const deps = { db, createGame, joinMs: settings.PROVISIONING_JOIN_MS, billing: client(bus, billing) };
    const driver = localDriver({
      url: settings.LOCAL_HOST_URL,
      token: settings.LOCAL_HOST_TOKEN,
      timeoutMs: settings.PROVISIONING_HOST_TIMEOUT_MS,
      slowTimeoutMs: settings.PROVISIONING_HOST_SLOW_MS,
    });
    const outside = { driver, servers: client(bus, servers) };
    return {
      service: provisioningService(deps),
      reactions: [accountChanged(deps)],
      workers: [startProvisioningWorker({ ...deps, ...outside, settings, clock, log, wake })],
    };
  },
});
