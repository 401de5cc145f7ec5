import { afterAll, describe, expect, test } from "bun:test";
import { serviceActor } from "#shared/contract/actor.ts";
import { billingForTest } from "../testing/billing.ts";

const billing = await billingForTest();
afterAll(() => billing[Symbol.asyncDispose]());

const get = (accountId: string) => billing.ask("getAccount", { accountId }, serviceActor("provisioning"));

describe("getAccount", () => {
  test("200: first sight opens the account and tells everybody once", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => get("acc_new")));
    expect(answers[0]).toMatchObject({ accountId: "acc_new", plan: "free", version: 1 });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const events = await billing.events("acc_new");
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ subject: "evt.billing.v1.account.changed.acc_new", version: 1 });
    expect(events[0]?.payload).toEqual(await get("acc_new"));
  });

  test("200: a known account as it stands", async () => {
    const id = await billing.open();
    const override = { id, serverBillingState: "retained", reason: "fraud" };
    const changed = await billing.ask("overrideAccount", override);
    expect(await get(id)).toEqual(changed);
  });

  test("400 request.invalid: what cannot be an account id", async () => {
    expect(get("a.>")).rejects.toMatchObject({ status: 400, code: "request.invalid" });
  });
});
