import { afterAll, describe, expect, test } from "bun:test";
import type { ServerAction } from "#shared/contract/authority.ts";
import { Fault } from "#shared/fault/fault.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { account, serversForTest, service } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

const ask = (serverId: string, action: ServerAction, actor = service, operationId?: string) =>
  servers.ask("authorize", { serverId, action, ...(operationId ? { operationId } : {}) }, actor);
const problem = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof Fault ? error.problem("request") : error),
  );

describe("authorize: a server that is taken down", () => {
  const removing = async () => {
    const server = await servers.open();
    await servers.ask("archive", { ...server, reason: "deleted", keepRow: true });
    return server;
  };

  test("409 servers.busy: nothing exclusive but its deletion, also while nobody works at that", async () => {
    const { id, owner, operationId } = await removing();
    for (const action of ["power.start", "power.stop", "backups.create"] as const)
      expect(await problem(ask(id, action, owner))).toMatchObject({
        status: 409,
        code: "servers.busy",
        details: { operation: { id: operationId, type: "server.delete" } },
      });
    expect((await ask(id, "server.delete", owner)).lock).toBeDefined();
    expect((await ask(id, "server.read", owner)).vmid).toBe(Number(id));
  });

  test("200 and 404: a deletion finds it in the archive until its number is given back, and only its owner does", async () => {
    const server = await removing();
    const { id, owner, instanceId } = server;
    await servers.ask("archive", { ...server, reason: "deleted" });
    const facts = await ask(id, "server.delete", owner);
    expect(facts).toMatchObject({ instanceId, vmid: server.vmid, lock: { fence: 1 } });
    const again = await problem(ask(id, "server.delete", owner));
    expect(again).toMatchObject({ code: "servers.busy", details: { operation: { type: "server.delete" } } });
    expect(await problem(ask(id, "server.delete", account("acc_stranger")))).toMatchObject({ status: 404 });
    for (const action of ["server.read", "power.stop"] as const)
      expect(await problem(ask(id, action, owner))).toMatchObject({ status: 404 });
    await servers.ask("release", server);
    expect(await problem(ask(id, "server.delete", owner))).toMatchObject({ status: 404 });
    const locks = await servers.query(
      (tx) => tx`select from operation_lock where instance_id = ${instanceId}`,
    );
    expect(locks).toHaveLength(0);
  });
});
