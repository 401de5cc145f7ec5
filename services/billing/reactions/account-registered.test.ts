import { expect, test } from "bun:test";
import { billingForTest } from "../testing/billing.ts";
import { accountRegistered } from "./account-registered.ts";

test("a sign-up opens one billing account, however often it is heard of", async () => {
  await using billing = await billingForTest();
  const reaction = accountRegistered(billing.deps);
  const data = { accountId: "acc_ada", email: "ada@example.org", username: "ada", role: "customer" };
  const event = { id: "evt_1", key: "acc_ada", version: 1, at: new Date(0).toISOString(), data };
  await Promise.all([reaction.handle(event), reaction.handle(event)]);
  await reaction.handle(event);
  const events = await billing.events("acc_ada");
  expect(events.map(({ payload }) => payload)).toMatchObject([{ plan: "free", version: 1 }]);
});
