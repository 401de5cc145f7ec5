import type { Config } from "../config.ts";
import { createDevSaga } from "./create-dev.ts";
import { createGameSaga } from "./create-game.ts";
import { deleteServerSaga } from "./delete-server.ts";
import type { Patience } from "./deps.ts";
import { hostPowerSaga } from "./host-power.ts";

/** Every workflow of the service, as its settings want them. */
export function sagasOf(settings: Config) {
  const patience: Patience = {
    giveUpAfterMs: settings.PROVISIONING_GIVE_UP_MS,
    addressMs: settings.PROVISIONING_ADDRESS_MS,
    readyMs: settings.PROVISIONING_READY_MS,
    shutdownMs: settings.PROVISIONING_SHUTDOWN_MS,
  };
  return {
    createGame: createGameSaga(patience),
    createDev: createDevSaga(patience),
    startHost: hostPowerSaga("start", patience),
    stopHost: hostPowerSaga("stop", patience),
    restartHost: hostPowerSaga("restart", patience),
    deleteServer: deleteServerSaga(patience),
  };
}
export type Sagas = ReturnType<typeof sagasOf>;
