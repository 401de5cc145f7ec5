import { afterAll, describe, expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { deleteServer, deletionForTest } from "../testing/deletion.ts";
import { untilOperation } from "../testing/provisioning.ts";

const made = await deletionForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { host, registry, query, operator, plant, remove, quotaOf } = made;
const { expectGone, expectKept, expectSecondSucceeds } = made;

describe("a deletion", () => {
  test("goes through its steps in their order, under the server's lock, and gives everything back", async () => {
    const server = await plant();
    const { vmid, instanceId } = server;
    const beats = registry.beats.length;
    const { operationId, end } = await remove(server);
    const operation = await end();
    expect(operation).toMatchObject({ type: "delete-server", status: "succeeded", serverId: String(vmid) });
    expect(operation.result).toEqual({ serverId: String(vmid), vmid, instanceId, deleted: true });
    expect(operation.steps?.map(({ name, status }) => `${name} ${status}`)).toEqual([
      "check-stopped done",
      "archive-instance done",
      "unpublish-edge done",
      "unregister-proxy done",
      "destroy-container done",
      "delete-row done",
      "release-vmid done",
    ]);
    expect(operation.steps?.[3]?.message).toContain("Skipped");
    const shown = registry.beats.slice(beats).filter((beat) => beat.operationId === operationId);
    expect(new Set(shown.map(({ type, phase }) => `${type} ${phase}`))).toEqual(
      new Set([
        "server.delete check-stopped",
        "server.delete archive-instance",
        "server.delete unpublish-edge",
        "server.delete destroy-container",
        "server.delete hold-lock",
      ]),
    );
    await expectGone(server);
    // The archive keeps what the server was, not what was taken from it.
    expect(registry.archived.get(instanceId)).toMatchObject({
      vmid,
      payload: { edge: { address: "here:1" } },
    });
  });

  test("withdraws the address before the container goes, and the row after it", async () => {
    const server = await plant();
    const seen = Promise.withResolvers<unknown>();
    void host.trouble.next("DELETE /containers/:vmid", () => {
      const row = registry.live.get(server.instanceId);
      seen.resolve({ edge: row?.payload["edge"], removing: row?.removing });
    });
    const { end } = await remove(server);
    expect(await seen.promise).toEqual({ edge: null, removing: true });
    await end();
  });

  test("of a running server by force stops it in order first, in the time that a shutdown may take", async () => {
    const server = await plant({ running: true });
    const before = host.log.length;
    const { end } = await remove(server, { actor: operator, force: true });
    expect(await end()).toMatchObject({ status: "succeeded" });
    const changes = host.log.slice(before).filter((each) => /POST|DELETE/.test(each));
    expect(changes).toEqual(["POST /containers/:vmid/stop", "DELETE /containers/:vmid"]);
    await expectGone(server);
  });

  test("of a server that was started behind its acceptance fails, and goes on once it is stopped", async () => {
    const server = await plant();
    void registry.trouble.next("heartbeat", () => void (server.container.status = "running"));
    const { end } = await remove(server);
    expect(await end()).toMatchObject({
      status: "failed",
      error: { code: "provisioning.still_running", retryable: false },
    });
    await expectKept(server);
    await expectSecondSucceeds(server);
  });

  test("of a container that starts by itself when nobody else can stop it any more stops it", async () => {
    const server = await plant();
    void registry.trouble.next("mergePayload", () => void (server.container.status = "running"));
    const { end } = await remove(server);
    expect(await end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("that failed after its server was archived goes on, though the container runs again", async () => {
    const server = await plant();
    void registry.trouble.next("mergePayload", "fails");
    expect(await (await remove(server)).end()).toMatchObject({ status: "failed" });
    server.container.status = "running";
    expect(await (await remove(server)).end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("goes on where it lost its server's row: what is in the archive is enough", async () => {
    const server = await plant();
    void registry.trouble.next("release", "fails");
    const { end } = await remove(server);
    expect(await end()).toMatchObject({ status: "failed" });
    expect(registry.live.has(server.instanceId)).toBe(false);
    expect(await quotaOf(server)).toBe(1);
    await expectSecondSucceeds(server);
    expect(
      await remove(server).catch((error: unknown) => (error as { code: string }).code),
      "when all of it is done, there is no such server",
    ).toBe("servers.not_found");
  });

  test("whose lock another operation has taken ends without touching the server", async () => {
    const server = await plant();
    void host.trouble.next("GET /containers/:vmid", () => {
      // Between acceptance and work: forgotten, and taken by somebody else.
      void host.trouble.next("GET /containers/:vmid", () => {
        registry.locks.delete(server.instanceId);
        registry.lock(server.instanceId, newId("srv"));
      });
    });
    const { end } = await remove(server);
    expect(await end()).toMatchObject({ status: "failed", error: { code: "provisioning.lock_lost" } });
    expect(registry.archived.has(server.instanceId)).toBe(false);
    expect(host.containers.get(server.vmid)).toBe(server.container);
    expect(await quotaOf(server)).toBe(1);
  });
});

test("who deletes a server and asks for the same one again means a new one, and no double click", async () => {
  const actor = made.newAccount();
  const create = async () => {
    const { reply } = await made.call("createServer", { ctype: "game", name: "again" }, actor);
    const { operationId } = reply as { operationId: string };
    return untilOperation(made, operationId, ({ finishedAt }) => finishedAt !== null);
  };
  const first = await create();
  expect(await create()).toEqual(first);
  const vmid = Number(first.serverId);
  const container = host.containers.get(vmid);
  if (container) container.status = "stopped";
  await deleteServer(made, { actor, vmid });
  expect((await create()).id).not.toBe(first.id);
});

describe("the container", () => {
  test("is gone already: that is what was wanted", async () => {
    const server = await plant();
    host.containers.delete(server.vmid);
    const { end } = await remove(server);
    expect(await end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("goes between the look and the deletion: so the host says, and that is what was wanted", async () => {
    const server = await plant();
    void host.trouble.next("DELETE /containers/:vmid", () => void host.containers.delete(server.vmid));
    const { end } = await remove(server);
    expect(await end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("is a stranger's: it stays as it is, an operator is told, and the server is deleted", async () => {
    const server = await plant();
    const { vmid } = server;
    const stranger = { description: "do not touch", tags: ["theirs"], status: "running" as const };
    Object.assign(server.container, stranger);
    const { end, operationId } = await remove(server);
    const operation = await end();
    expect(operation).toMatchObject({ status: "succeeded" });
    expect(operation.steps?.[4]?.message).toContain("is left alone");
    expect(host.containers.get(vmid)).toMatchObject(stranger);
    host.containers.delete(vmid);
    await expectGone(server);
    const findings = await query(
      (tx) => tx`select kind, detail from finding where subject = ${String(vmid)}`,
    );
    expect(findings).toMatchObject([{ kind: "foreign_container", detail: { operationId } }]);
  });
});

describe("the registry", () => {
  const calls = ["heartbeat", "archive", "mergePayload", "findInstance", "release", "unlock"];

  test.each(calls)(
    "does not answer %s at first: it is asked again, and all is given back once",
    async (call) => {
      const server = await plant();
      void registry.trouble.next(call, "lost after");
      void registry.trouble.next(call, "lost before");
      const { end } = await remove(server);
      expect(await end()).toMatchObject({ status: "succeeded" });
      await expectGone(server);
    },
  );

  test.each(["archive", "mergePayload", "findInstance"])(
    "fails at %s: the operation fails, and another one goes on",
    async (call) => {
      const server = await plant();
      void registry.trouble.next(call, "fails");
      const { end } = await remove(server);
      expect(await end()).toMatchObject({ status: "failed", error: { code: "internal.error" } });
      expect(registry.live.has(server.instanceId)).toBe(true);
      expect(await quotaOf(server)).toBe(1);
      await expectSecondSucceeds(server);
    },
  );
});
