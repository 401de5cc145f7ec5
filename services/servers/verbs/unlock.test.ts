import { afterAll, describe, expect, test } from "bun:test";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { serversForTest } from "../testing/servers.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

describe("unlock", () => {
  test("200: only the holder gives the lock back, once; then the server is reconciled", async () => {
    const { id, instanceId } = await servers.open();
    const ask = { serverId: id, action: "backups.create" };
    const lock = (await servers.ask("authorize", ask)).lock ?? { operationId: "", fence: 0 };
    const unlock = (change: object) => servers.ask("unlock", { instanceId, ...lock, ...change });
    for (const change of [
      { fence: lock.fence + 1 },
      { operationId: newId("bkp") },
      { instanceId: newInstanceId() },
    ])
      expect(await unlock(change)).toEqual({ released: false });
    expect(servers.woken).not.toContain(instanceId);
    expect(await unlock({})).toEqual({ released: true });
    expect(servers.woken).toContain(instanceId);
    // Whatever was done under the lock is seen at once.
    expect(servers.looked.filter((looked) => looked === instanceId)).toHaveLength(2);
    expect(await unlock({})).toEqual({ released: false });
  });
});
