import { afterAll, describe, expect, test } from "bun:test";
import { newInstanceId } from "#shared/ids/ids.ts";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("archive", () => {
  test("200: once, however often it is asked; the row is kept and everybody is told the last state", async () => {
    const opened = await servers.open();
    const { instanceId, vmid, customerId } = opened;
    const input = { ...opened, reason: "deleted by its owner" };
    const answers = await Promise.all(Array.from({ length: 5 }, () => servers.ask("archive", input)));
    expect(answers).toEqual(Array.from({ length: 5 }, () => ({ archived: true })));
    const rows = await servers.query(
      (tx) =>
        tx`select vmid, customer_id, reason, version from deleted_instance where instance_id = ${instanceId}`,
    );
    expect([...rows]).toEqual([{ vmid, customerId, reason: "deleted by its owner", version: 2 }]);
    const events = await servers.events(instanceId);
    expect(events.map(({ subject, version }) => ({ subject, version }))).toEqual([
      { subject: `evt.servers.v1.instance.changed.${instanceId}`, version: 1 },
      { subject: `evt.servers.v1.instance.archived.${instanceId}`, version: 2 },
    ]);
    expect(events[1]?.payload).toMatchObject({ instanceId, customerId, version: 2 });
  });

  test("200: with keepRow it is in the archive and still listed as being deleted, until a call without", async () => {
    const opened = await servers.open();
    const { id, instanceId, owner } = opened;
    const input = { ...opened, reason: "deleted by its owner", keepRow: true };
    for (let i = 0; i < 2; i++) expect(await servers.ask("archive", input)).toEqual({ archived: true });
    const found = await servers.ask("findInstance", { instanceId });
    expect(found).toMatchObject({ instance: { removing: true, version: 2 }, archived: true });
    expect(await servers.ask("getServer", { id }, owner)).toMatchObject({
      status: "deleting",
      connectable: false,
    });
    const kept = async () => {
      const rows = await servers.query(
        (tx) =>
          tx`select operation_id, reason, version from deleted_instance where instance_id = ${instanceId}`,
      );
      return [...rows];
    };
    const first = { operationId: opened.operationId, reason: "deleted by its owner" };
    expect(await kept()).toEqual([{ ...first, version: 2 }]);
    // A second attempt, after the first one failed on its way.
    const again = { ...opened, operationId: "prv_again", reason: "tried again" };
    await servers.ask("archive", { ...again, keepRow: true });
    await servers.ask("archive", again);
    expect(await kept()).toEqual([{ ...first, version: 3 }]);
    expect(servers.ask("getServer", { id }, owner)).rejects.toMatchObject({ code: "servers.not_found" });
    const events = await servers.events(instanceId);
    expect(events.map(({ subject, version }) => [subject.split(".")[4], version])).toEqual([
      ["changed", 1],
      ["changed", 2],
      ["archived", 3],
    ]);
  });

  test("200: with keepRow an instance that never lived is not in the archive", async () => {
    const input = { operationId: "prv_1", instanceId: newInstanceId(), reason: "never made" };
    expect(await servers.ask("archive", { ...input, keepRow: true })).toEqual({ archived: false });
  });

  test("200: an instance that never lived is not in the archive", async () => {
    const input = { operationId: "prv_1", instanceId: newInstanceId(), reason: "never made" };
    expect(await servers.ask("archive", input)).toEqual({ archived: false });
  });

  test("200: an activation under way is waited for and archived, not left behind alive", async () => {
    const late = await servers.activating();
    const archiving = servers.ask("archive", { ...late, reason: "its creation failed" });
    await servers.blocked(archiving);
    await late.commit();
    expect(await archiving).toEqual({ archived: true });
    expect(await servers.ask("findInstance", late)).toMatchObject({ instance: null, archived: true });
  });

  test("200: the number stays taken until it is released, and the lock of the teardown is kept", async () => {
    const opened = await servers.open();
    const { id, instanceId, operationId } = opened;
    const { lock } = await servers.ask("authorize", {
      serverId: id,
      action: "server.delete",
      operationId,
    });
    await servers.ask("archive", { ...opened, reason: "deleted" });
    const words = { type: "server.delete", phase: "destroy", message: null };
    expect(await servers.ask("heartbeat", { instanceId, ...lock, ...words })).toEqual({ held: true });
    expect((await servers.open()).vmid).not.toBe(opened.vmid);
    expect(await servers.ask("unlock", { instanceId, ...lock })).toEqual({ released: true });
  });
});
