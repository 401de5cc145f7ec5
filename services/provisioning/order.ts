import { gateMatrix, resolveUrl } from "#services/billing/contract.ts";
import type { Fail } from "#shared/contract/implement.ts";
import type { Operation } from "#shared/contract/operation.ts";
import type { Tx } from "#shared/db/connect.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import type { provisioning } from "./contract.ts";
import { reserveQuota } from "./quota.ts";
import { lockAccount } from "./store.ts";
import { beginCreation, type Order } from "./workflows/creation.ts";
import type { Sagas } from "./workflows/sagas.ts";

type Refuse = Fail<(typeof provisioning)["routes"]["createServer"]["errors"]>;

/**
 * Checks billing's gate and takes the server from the account's limits, with the account locked, then begins the
 * work: all of it in the caller's transaction, or none.
 */
export async function acceptOrder(
  tx: Tx,
  sagas: Pick<Sagas, "createGame" | "createDev">,
  order: Omit<Order, "instanceId">,
  fail: Refuse,
): Promise<Operation> {
  const account = await lockAccount(tx, order.accountId);
  const { serverBillingState: state, since } = account;
  const action = "server.create";
  if (!gateMatrix[action].includes(state))
    fail("billing.gated", { details: { state, action, since, resolveUrl } });
  const instanceId = newInstanceId();
  const exceeded = await reserveQuota(tx, account, { instanceId, memoryMiB: order.memoryMiB });
  if (exceeded) fail("quota_exceeded", { details: exceeded });
  const saga = order.engine.ctype === "game" ? sagas.createGame : sagas.createDev;
  return beginCreation(tx, saga, newId("prv"), { ...order, instanceId });
}
