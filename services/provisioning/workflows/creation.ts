import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { defineSaga, type Saga, type Step, type StepContext } from "#shared/saga/saga.ts";
import type { HostAddress } from "../adapters/host-driver.ts";
import type { Engine } from "../catalog.ts";
import type { Owner } from "../ownership.ts";
import { deleteAgentToken, deleteQuota, insertAgentToken } from "../store.ts";
import { queue, type WorkflowDeps } from "./deps.ts";

/** What a customer ordered, as the steps of its creation read it. */
export type Order = {
  accountId: string;
  instanceId: string;
  name: string;
  memoryMiB: number;
  /** What it is to run; its `ctype` decides between a game server and a dev container. */
  engine: Engine;
};

/** The order and what its steps have found out so far; kept in Postgres between steps. It holds no secret. */
export type Creation = Order & {
  vmid?: number;
  /** The public id, once it resolves. */
  serverId?: string;
  hostname?: string;
  node?: string;
  address?: HostAddress;
};

export type CreationStep = Step<WorkflowDeps, Creation>;
export type CreationContext = StepContext<WorkflowDeps, Creation>;

export const ownerOf = ({ deps, state, operationId }: CreationContext): Owner => ({
  installation: deps.installation,
  instanceId: state.instanceId,
  operationId,
});

/** `host:port` where players connect; null while it is not known, and for what has no such address. */
export function edgeAddress({ engine, address }: Pick<Creation, "engine" | "address">): string | null {
  return engine.ctype === "game" && address ? `${address.ip}:${address.gamePort}` : null;
}

export type CreationSaga = Saga<WorkflowDeps, Creation>;

/**
 * What the creations of all kinds of servers have in common. `giveUpAfterMs`: how long a step that says nothing else
 * tries to reach somebody before the creation is undone.
 */
export const creationSaga = (o: {
  type: string;
  giveUpAfterMs: number;
  steps: readonly CreationStep[];
}): CreationSaga =>
  defineSaga<WorkflowDeps, Creation>({
    type: o.type,
    queue,
    steps: o.steps.map((step) => ({ giveUpAfterMs: o.giveUpAfterMs, ...step })),
    server: ({ serverId, instanceId }) => ({ serverId, instanceId }),
    result: (state) => ({
      serverId: state.serverId,
      vmid: state.vmid,
      instanceId: state.instanceId,
      address: edgeAddress(state),
    }),
    async onSettled(tx, { operationId, state, status }) {
      await deleteAgentToken(tx, operationId);
      if (status === "failed") await deleteQuota(tx, state.instanceId);
    },
  });

/** Accepts an order whose quota is reserved: the work begins when the transaction has committed. */
export async function beginCreation(
  tx: Tx,
  saga: CreationSaga,
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
