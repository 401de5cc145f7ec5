import { expect, test } from "bun:test";
import type { AccountState } from "#services/billing/contract.ts";
import { User } from "../contract.ts";
import { authForTest } from "../testing/auth.ts";
import { accountChanged } from "./account-changed.ts";

test("billing's state is shown with the account; a newer version wins, in whatever order they come", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const reaction = accountChanged(auth.deps);
  const hear = async (version: number, state: Partial<AccountState>) => {
    const data = {
      accountId: actor.id,
      plan: "free",
      billingStatus: "active",
      serverBillingState: "allowed",
      since: "2030-01-01T00:00:00.000Z",
      limits: { servers: 1, memoryMiB: 1, backupsPerServer: 1, schedulesPerServer: 1 },
      version,
      ...state,
    };
    await reaction.handle({ id: `evt_${version}`, key: actor.id, version, at: data.since, data });
    const { billing_status, suspended_at } = User.parse(await auth.ask("profile", {}, actor));
    return [billing_status, suspended_at];
  };
  const suspended = { billingStatus: "suspended", serverBillingState: "suspended_shutdown" } as const;
  const retained = { billingStatus: "retained", serverBillingState: "retained" } as const;
  const [first, second] = ["2030-02-01T00:00:00.000Z", "2030-03-01T00:00:00.000Z"];

  expect(reaction.consumed).toBe("billing.accountChanged");
  expect(await hear(2, { billingStatus: "past_due" })).toEqual(["past_due", null]);
  expect(await hear(1, suspended)).toEqual(["past_due", null]);
  expect(await hear(3, { ...suspended, since: first })).toEqual(["suspended", first]);
  expect(await hear(3, { ...suspended, since: second })).toEqual(["suspended", first]);
  expect(await hear(4, { ...retained, since: second })).toEqual(["retained", first]);
  expect(await hear(5, {})).toEqual(["active", null]);
  expect(await hear(6, { ...suspended, since: second })).toEqual(["suspended", second]);
});

test("under an override, status and suspension tell of one state: the one in force", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const reaction = accountChanged(auth.deps);
  const since = "2030-02-01T00:00:00.000Z";
  let version = 0;
  const hear = async (
    billingStatus: AccountState["billingStatus"],
    serverBillingState: AccountState["serverBillingState"],
  ) => {
    const limits = { servers: 1, memoryMiB: 1, backupsPerServer: 1, schedulesPerServer: 1 };
    const state = { plan: "free", limits, since, version: ++version, billingStatus, serverBillingState };
    const data = { accountId: actor.id, ...state };
    await reaction.handle({ id: `evt_${version}`, key: actor.id, version, at: since, data });
    const { billing_status, suspended_at } = User.parse(await auth.ask("profile", {}, actor));
    return [billing_status, suspended_at];
  };
  expect(await hear("active", "suspended_shutdown")).toEqual(["suspended", since]);
  expect(await hear("past_due", "retained")).toEqual(["retained", since]);
  expect(await hear("pending_deletion", "retained")).toEqual(["pending_deletion", since]);
  expect(await hear("retained", "suspended_shutdown")).toEqual(["suspended", since]);
  expect(await hear("suspended", "allowed")).toEqual(["overdue_warning", null]);
  expect(await hear("pending_deletion", "backup_blocked")).toEqual(["overdue_warning", null]);
  expect(await hear("past_due", "backup_blocked")).toEqual(["past_due", null]);
  expect(await hear("active", "allowed")).toEqual(["active", null]);
});
