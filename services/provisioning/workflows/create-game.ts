import { type CreationSaga, creationSaga } from "./creation.ts";
import type { Patience } from "./deps.ts";
import { sendAgentConfig, waitReady } from "./steps/agent.ts";
import { cloneContainer } from "./steps/clone.ts";
import { configureContainer, startContainer, waitForIp } from "./steps/container.ts";
import { confirm, persistInstance, publishEdge, registerProxy } from "./steps/registry.ts";
import { allocateVmid } from "./steps/vmid.ts";

/**
 * From an order to a game server that players can join. The names and the order of the steps are public: the Portal
 * shows them. Steps that wait have `giveUpAfterMs` on top of their own bound: a hiccup late in a long installation does
 * not undo it.
 */
export const createGameSaga = ({ giveUpAfterMs, addressMs, readyMs }: Patience): CreationSaga =>
  creationSaga({
    type: "create-game",
    giveUpAfterMs,
    steps: [
      allocateVmid,
      cloneContainer,
      configureContainer,
      startContainer,
      { ...waitForIp, giveUpAfterMs: giveUpAfterMs + addressMs },
      sendAgentConfig,
      { ...waitReady, giveUpAfterMs: giveUpAfterMs + readyMs },
      persistInstance,
      publishEdge,
      registerProxy,
      confirm,
    ],
  });
