import { z } from "zod";
import type { Actor } from "#shared/contract/actor.ts";
import { Operation } from "#shared/contract/operation.ts";
import { provisioningForTest, untilOperation } from "./provisioning.ts";
import { serverOutside } from "./server.ts";

export type HostRoute = "startHost" | "stopHost" | "restartHost";
const Accepted = z.object({ ok: z.literal(true), operation: Operation });

/** The service, servers that are there already, and their owners; with `working`, a worker that does what is accepted. */
export async function hostPowerForTest(
  o: Parameters<typeof provisioningForTest>[0] & { working?: boolean } = {},
) {
  const provisioning = await provisioningForTest(o);
  const { registry, host, deps, newAccount } = provisioning;
  const worker = o.working ? provisioning.worker() : undefined;
  return {
    ...provisioning,
    /** A server of a new account; it runs unless the input says otherwise. */
    async server(input: { running?: boolean; ctype?: "game" | "dev" } = {}) {
      const owner = newAccount();
      const facts = await serverOutside(deps, registry, { ...input, customerId: owner.id });
      const { instanceId, vmid } = facts;
      return {
        ...facts,
        owner,
        id: String(vmid),
        /** As the host has it. */
        container: () => host.containers.get(vmid),
        wish: () => registry.live.get(instanceId)?.hostDesired,
        lock: () => registry.locks.get(instanceId),
      };
    },
    ask: async (route: HostRoute, server: { id: string; owner: Actor }, actor = server.owner) => {
      const { reply, headers } = await provisioning.call(route, { id: server.id }, actor);
      const { operation } = Accepted.parse(reply);
      const until = (done: (operation: Operation) => boolean) =>
        untilOperation(provisioning, operation.id, done);
      return { operation, headers, until, end: () => until(({ finishedAt }) => finishedAt !== null) };
    },
    async [Symbol.asyncDispose]() {
      await worker?.stop();
      await provisioning[Symbol.asyncDispose]();
    },
  };
}
