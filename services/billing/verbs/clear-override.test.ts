import { afterAll, describe, expect, test } from "bun:test";
import { account, billingForTest } from "../testing/billing.ts";

const billing = await billingForTest();
afterAll(() => billing[Symbol.asyncDispose]());

async function suspended() {
  const id = await billing.open();
  await billing.ask("overrideAccount", { id, serverBillingState: "retained", reason: "court order" });
  return id;
}

describe("clearOverride", () => {
  test("200: what payments make of the account holds again; a second time changes nothing", async () => {
    const id = await suspended();
    const cleared = await billing.ask("clearOverride", { id });
    expect(cleared).toMatchObject({ serverBillingState: "allowed", version: 3 });
    expect(await billing.ask("clearOverride", { id })).toEqual(cleared);
    expect((await billing.events(id)).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect((await billing.audit(id)).map(({ action, details }) => [action, details["reason"]])).toEqual([
      ["billing.override", "court order"],
      ["billing.override_lifted", "court order"],
    ]);
  });

  test("403 auth.forbidden: a customer", async () => {
    const id = await suspended();
    const asked = billing.ask("clearOverride", { id }, account(id));
    expect(asked).rejects.toMatchObject({ status: 403, code: "auth.forbidden" });
  });

  test("404 billing.account_not_found", async () => {
    const asked = billing.ask("clearOverride", { id: "acc_nobody" });
    expect(asked).rejects.toMatchObject({ status: 404, code: "billing.account_not_found" });
  });
});
