import type { ServerFacts } from "#shared/contract/authority.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { hostnameOf } from "../hostname.ts";
import { ownerMark, ownerTag } from "../ownership.ts";
import type { WorkflowDeps } from "../workflows/deps.ts";
import type { TestRegistry } from "./registry.ts";

/** A server as a creation leaves it, at the host and in the registry; its facts are those of an authorization. */
export async function serverOutside(
  deps: Pick<WorkflowDeps, "driver" | "installation">,
  registry: TestRegistry,
  o: { customerId?: string; ctype?: "game" | "dev"; running?: boolean; instanceId?: string } = {},
): Promise<ServerFacts> {
  const { customerId = newId("acc"), ctype = "game", running = true, instanceId = newInstanceId() } = o;
  const { driver, installation } = deps;
  const { servers } = registry;
  const owner = { installation, instanceId, operationId: newId("prv") };
  const { operationId } = owner;
  const { vmid } = await servers.reserve({ operationId, instanceId, customerId, ctype });
  const hostname = hostnameOf("here", vmid);
  await driver.create({ vmid, hostname, description: ownerMark(owner), memoryMiB: 512 });
  const agentToken = newId("tok");
  await driver.configure(vmid, { tags: [ownerTag(owner)], memoryMiB: 512, agentToken });
  if (running) await driver.start(vmid);
  const facts = { instanceId, vmid, customerId, ctype, name: "here", hostname, node: "local" };
  await servers.activate({
    ...facts,
    operationId,
    ip: "127.0.0.1",
    agent: { address: "http://127.0.0.1:1", token: agentToken },
    engineType: "flying-squid",
    engineVersion: "1.16.5",
    payload: {},
  });
  return facts;
}
