import { type CreationSaga, creationSaga } from "./creation.ts";
import type { Patience } from "./deps.ts";
import { sendAgentConfig, waitReady } from "./steps/agent.ts";
import { cloneContainer } from "./steps/clone.ts";
import { configureContainer, startContainer, waitForIp } from "./steps/container.ts";
import { confirm, persistInstance, publishEdge, registerProxy } from "./steps/registry.ts";
import { allocateVmid } from "./steps/vmid.ts";

/**
 * From an order to a dev container whose workspace can be used. Its steps are those of a game server, by name and
 * order, so that a Portal shows both alike; the agent decides what being ready means for it.
 */
export const createDevSaga = ({ giveUpAfterMs, addressMs, readyMs }: Patience): CreationSaga =>
  creationSaga({
    type: "create-dev",
    giveUpAfterMs,
    steps: [
      allocateVmid,
      cloneContainer,
      configureContainer,
      startContainer,
      { ...waitForIp, giveUpAfterMs: giveUpAfterMs + addressMs },
      { ...sendAgentConfig, title: "Ordering the workspace" },
      {
        ...waitReady,
        title: "Preparing the workspace",
        giveUpAfterMs: giveUpAfterMs + readyMs,
      },
      persistInstance,
      publishEdge,
      registerProxy,
      confirm,
    ],
  });
