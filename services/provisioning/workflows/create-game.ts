import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { defineSaga, type Saga } from "#shared/saga/saga.ts";
import { deleteAgentToken, deleteQuota, insertAgentToken } from "../store.ts";
import type { Creation, CreationDeps, CreationStep, Order } from "./creation.ts";
import { sendAgentConfig, waitReady } from "./steps/agent.ts";
import { cloneContainer } from "./steps/clone.ts";
import { configureContainer, startContainer, waitForIp } from "./steps/container.ts";
import { confirm, persistInstance, playerAddress, publishEdge, registerProxy } from "./steps/registry.ts";
import { allocateVmid } from "./steps/vmid.ts";

export const queue = "provisioning";
export type CreateGame = Saga<CreationDeps, Creation>;
/** In milliseconds; the last two as in the settings of the steps. */
type CreatePatience = { giveUpAfterMs: number; addressMs: number; readyMs: number };

/**
 * From an order to a game server that players can join. The names and the order of the steps are public: the Portal
 * shows them. `giveUpAfterMs`: how long a step tries to reach somebody before the creation is undone. Steps that wait
 * have that on top of their own bound: a hiccup late in a long installation does not undo it.
 */
export const createGameSaga = (o: CreatePatience): CreateGame =>
  defineSaga<CreationDeps, Creation>({
    type: "create-game",
    queue,
    steps: [
      allocateVmid,
      cloneContainer,
      configureContainer,
      startContainer,
      { ...waitForIp, giveUpAfterMs: o.giveUpAfterMs + o.addressMs },
      sendAgentConfig,
      { ...waitReady, giveUpAfterMs: o.giveUpAfterMs + o.readyMs },
      persistInstance,
      publishEdge,
      registerProxy,
      confirm,
    ].map((step: CreationStep) => ({ giveUpAfterMs: o.giveUpAfterMs, ...step })),
    server: ({ serverId, instanceId }) => ({ serverId, instanceId }),
    result: (state) => ({
      serverId: state.serverId,
      vmid: state.vmid,
      instanceId: state.instanceId,
      address: state.address ? playerAddress(state.address) : null,
    }),
    async onSettled(tx, { operationId, state, status }) {
      await deleteAgentToken(tx, operationId);
      if (status === "failed") await deleteQuota(tx, state.instanceId);
    },
  });

/** Accepts an order whose quota is reserved: the work begins when the transaction has committed. */
export async function beginCreation(
  tx: Tx,
  saga: CreateGame,
  operationId: string,
  order: Order,
): Promise<Operation> {
  await insertAgentToken(tx, operationId, newToken());
  await beginSaga(tx, saga, { operationId, customerId: order.accountId, state: order });
  const stored = await readOperation(tx, operationId);
  if (!stored) throw new Error(`operation ${operationId} was not stored`);
  return stored.operation;
}

/** 256 bits, in letters that a header and an environment variable can carry. */
function newToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}
