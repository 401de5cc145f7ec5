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
    expect(await servers.ask("findInstance", late)).toEqual({ instance: null, archived: true });
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
