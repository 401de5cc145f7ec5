import { expect } from "bun:test";
import { z } from "zod";
import type { Actor } from "#shared/contract/actor.ts";
import type { Operation } from "#shared/contract/operation.ts";
import { insertQuota, saveAccount } from "../store.ts";
import { provisioningForTest, type TestProvisioning, untilOperation } from "./provisioning.ts";
import { serverOutside } from "./server.ts";

type Account = Actor & { kind: "account" };
type World = Pick<TestProvisioning, "deps" | "registry" | "host" | "query" | "newAccount">;
const Accepted = z.object({ operationId: z.string() });

/** A server as a creation leaves it, at the host, in the registry and in its account's quota; stopped unless told. */
export async function plantServer(
  { deps, registry, host, query, newAccount }: World,
  o: { actor?: Account; running?: boolean; ctype?: "game" | "dev" } = {},
) {
  const { actor = newAccount(), running = false, ...more } = o;
  const outside = await serverOutside(deps, registry, { customerId: actor.id, running, ...more });
  const { instanceId, vmid } = outside;
  const eventAt = new Date().toISOString();
  await registry.servers.mergePayload({ instanceId, key: "edge", value: { address: "here:1" }, eventAt });
  const account = await deps.billing.getAccount({ accountId: actor.id });
  await query(async (tx) => {
    await saveAccount(tx, account);
    await insertQuota(tx, { instanceId, accountId: actor.id, memoryMiB: 512 });
  });
  const container = host.containers.get(vmid);
  if (!container) throw new Error("the host has not made the container");
  return { actor, instanceId, vmid, container };
}
export type Planted = Awaited<ReturnType<typeof plantServer>>;

/** Asks for the deletion of a server; `end` waits until the operation is settled. */
export async function deleteServer(
  provisioning: Pick<TestProvisioning, "call">,
  { vmid, actor }: Pick<Planted, "vmid" | "actor">,
  o: { actor?: Actor; key?: string; force?: boolean } = {},
) {
  const { actor: by = actor, key, ...body } = o;
  const { reply, headers } = await provisioning.call("deleteServer", { id: String(vmid), ...body }, by, key);
  const { operationId } = Accepted.parse(reply);
  const until = (done: (operation: Operation) => boolean) => untilOperation(provisioning, operationId, done);
  return { reply, headers, operationId, until, end: () => until(({ finishedAt }) => finishedAt !== null) };
}

/** The service with a worker that does what is accepted, and what a deletion must come to. */
export async function deletionForTest(o: Parameters<typeof provisioningForTest>[0] = {}) {
  const provisioning = await provisioningForTest(o);
  const worker = provisioning.worker();
  const { host, registry, query } = provisioning;
  const remove = (server: Planted, how: Parameters<typeof deleteServer>[2] = {}) =>
    deleteServer(provisioning, server, how);
  const quotaOf = async ({ instanceId }: Planted) =>
    (await query((tx) => tx`select 1 from quota where instance_id = ${instanceId}`)).length;

  async function expectGone(server: Planted): Promise<void> {
    const { instanceId, vmid, container } = server;
    expect(host.containers.get(vmid)).not.toBe(container);
    expect(registry.live.has(instanceId)).toBe(false);
    expect(registry.archived.has(instanceId)).toBe(true);
    expect(registry.resting.has(instanceId)).toBe(true);
    expect(registry.locks.has(instanceId)).toBe(false);
    expect(await quotaOf(server)).toBe(0);
  }
  return {
    ...provisioning,
    operator: { ...provisioning.newAccount(), role: "operator" as const },
    plant: (how: Parameters<typeof plantServer>[1] = {}) => plantServer(provisioning, how),
    remove,
    /** How many places of its account's limits a server takes. */
    quotaOf,
    expectGone,
    /** The deletion has failed and may be asked for again: nothing was given back. */
    expectKept: async (server: Planted): Promise<void> => {
      expect(host.containers.get(server.vmid)).toBe(server.container);
      expect(registry.live.has(server.instanceId)).toBe(true);
      expect(registry.resting.has(server.instanceId)).toBe(false);
      expect(registry.locks.has(server.instanceId)).toBe(false);
      expect(await quotaOf(server)).toBe(1);
    },
    expectSecondSucceeds: async (server: Planted): Promise<void> => {
      server.container.status = "stopped";
      const again = await remove(server);
      expect(await again.end()).toMatchObject({ status: "succeeded", error: null });
      await expectGone(server);
    },
    async [Symbol.asyncDispose]() {
      registry.trouble.letGo();
      await worker.stop();
      await provisioning[Symbol.asyncDispose]();
    },
  };
}
