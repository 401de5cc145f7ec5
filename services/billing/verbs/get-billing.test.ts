import { afterAll, describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { plans } from "../contract.ts";
import { account, billingForTest } from "../testing/billing.ts";

const billing = await billingForTest();
afterAll(() => billing[Symbol.asyncDispose]());

describe("getBilling", () => {
  test("200: plan, state and limits of the account that asks, new on the free plan", async () => {
    expect(await billing.ask("getBilling", {}, account("acc_ada"))).toEqual({
      accountId: "acc_ada",
      plan: "free",
      billingStatus: "active",
      serverBillingState: "allowed",
      since: new Date(billing.clock.now()).toISOString(),
      limits: plans.free,
      version: 1,
    });
  });

  test("401 auth.required: a service has no account of its own", async () => {
    const asked = billing.ask("getBilling", {}, serviceActor("servers"));
    expect(asked).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
