import { afterAll, describe, expect, test } from "bun:test";
import { newInstanceId } from "#shared/ids/ids.ts";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const find = (instanceId: string) => servers.ask("findInstance", { instanceId });

describe("findInstance", () => {
  test("200: a live one, an archived one, and one that never was", async () => {
    const opened = await servers.open();
    const { instanceId, vmid, customerId } = opened;
    expect(await find(instanceId)).toMatchObject({
      instance: { instanceId, vmid, customerId },
      archived: false,
    });
    await servers.ask("archive", { ...opened, reason: "deleted" });
    expect(await find(instanceId)).toMatchObject({
      instance: null,
      archived: true,
      archivedInstance: { instanceId, vmid, customerId, removing: true },
    });
    const never = { instance: null, archived: false, archivedInstance: null };
    expect(await find(newInstanceId())).toEqual(never);
  });
});
