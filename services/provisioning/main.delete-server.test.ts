import { afterAll, expect, test } from "bun:test";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { localDriver } from "./adapters/local.ts";
import { insertQuota, saveAccount } from "./store.ts";
import { processForTest } from "./testing/process.ts";
import { account, freeAccount } from "./testing/provisioning.ts";
import { serverOutside } from "./testing/server.ts";

// Deletions by the service as its own process, killed without warning.

const world = await processForTest();
afterAll(() => world[Symbol.asyncDispose]());
const { pg, host, registry } = world;
const driver = localDriver({ ...host, timeoutMs: 5_000, slowTimeoutMs: 5_000 });

/** A stopped server of a new account, with its place in the account's quota. */
async function plant() {
  const customerId = newId("acc");
  const server = await serverOutside({ driver, installation: "test1" }, registry, {
    customerId,
    running: false,
  });
  await withTx(pg.db, async (tx) => {
    await saveAccount(tx, freeAccount(customerId));
    await insertQuota(tx, { instanceId: server.instanceId, accountId: customerId, memoryMiB: 512 });
  });
  return { ...server, actor: account(customerId) };
}

type Troubles = typeof host.trouble;
/** Plans that the second such request stands still after its effect; resolves when it does. */
const second = (of: Troubles, request: string) =>
  new Promise<void>((met) => {
    void of.next(request, () => void of.next(request, "held").then(met));
  });

/** Plans that a deletion stands still in one step, after its effect. The first look at the host is the request's own. */
const doing: Record<string, () => Promise<void>> = {
  "check-stopped": () => second(host.trouble, "GET /containers/:vmid"),
  "archive-instance": () => registry.trouble.next("archive", "held"),
  "unpublish-edge": () => registry.trouble.next("mergePayload", "held"),
  "destroy-container": () => host.trouble.next("DELETE /containers/:vmid", "held"),
  "delete-row": () => second(registry.trouble, "archive"),
  "release-vmid": () => registry.trouble.next("release", "held"),
};

test("killed in the middle of every step of a deletion, it goes on: all is gone, and all is given back once", async () => {
  const killed = await world.start();
  const spared = await plant();
  const begun: { phase: string; operationId: string; instanceId: string; vmid: number }[] = [];
  for (const [phase, hold] of Object.entries(doing)) {
    const { actor, instanceId, vmid } = await plant();
    const standing = hold();
    const { operationId } = await world.api.deleteServer({ id: String(vmid) }, { actor });
    await standing;
    const operation = await world.api.getOperation({ operationId }, { actor });
    expect(operation).toMatchObject({ status: "running", phase });
    begun.push({ phase, operationId, instanceId, vmid });
  }
  killed.kill("SIGKILL");
  await killed.exited;

  const successor = await world.start();
  for (const { phase, operationId, instanceId, vmid } of begun) {
    expect([phase, await world.ended(operationId)]).toMatchObject([
      phase,
      { status: "succeeded", error: null },
    ]);
    expect({ phase, there: host.containers.has(vmid) }).toEqual({ phase, there: false });
    expect(registry.live.has(instanceId)).toBe(false);
    expect(registry.resting.has(instanceId)).toBe(true);
    expect(registry.locks.has(instanceId)).toBe(false);
  }
  expect([...host.containers.keys()]).toEqual([spared.vmid]);
  const quota = await withTx(pg.db, (tx) => tx<{ instanceId: string }[]>`select instance_id from quota`);
  expect(quota.map(({ instanceId }) => instanceId)).toEqual([spared.instanceId]);

  successor.kill("SIGTERM");
  expect(await successor.exited).toBe(0);
}, 30_000);
