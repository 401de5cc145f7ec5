import { afterAll, expect, test } from "bun:test";
import type { AccountState } from "#services/billing/contract.ts";
import { accountState, serversForTest } from "../testing/servers.ts";
import { accountChanged } from "./account-changed.ts";

const servers = await serversForTest();
afterAll(() => servers[Symbol.asyncDispose]());

const reaction = accountChanged(servers.deps);
let events = 0;
const tell = (data: AccountState) =>
  reaction.handle({
    id: `evt_${++events}`,
    key: data.accountId,
    version: data.version,
    at: "2030-01-01T00:00:00Z",
    data,
  });
const mayWatch = (serverId: string) =>
  servers.ask("authorize", { serverId, action: "console.view" }).then(
    () => true,
    () => false,
  );

test("a newer state of an account decides at once and wakes its servers; an older or equal one does nothing", async () => {
  const { id, customerId, instanceId } = await servers.open();
  const other = await servers.open();
  const suspended = { serverBillingState: "suspended_shutdown" } as const;
  await tell(accountState(customerId, { version: 5, ...suspended }));
  expect(await mayWatch(id)).toBe(false);
  expect(servers.woken).toContain(instanceId);
  expect(servers.woken).not.toContain(other.instanceId);
  servers.woken.length = 0;
  await tell(accountState(customerId, { version: 4 }));
  await tell(accountState(customerId, { version: 5 }));
  expect(await mayWatch(id)).toBe(false);
  expect(servers.woken).toEqual([]);
  await tell(accountState(customerId, { version: 6 }));
  expect(await mayWatch(id)).toBe(true);
});

test("an account without servers is kept for the day when it has one", async () => {
  await tell(accountState("acc_future", { version: 9, serverBillingState: "retained" }));
  const { id } = await servers.open({ customerId: "acc_future" });
  expect(await mayWatch(id)).toBe(false);
});
