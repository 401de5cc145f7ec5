import { afterAll, describe, expect, test } from "bun:test";
import { reconcileAccount } from "../reconcile.ts";
import { account, billingForTest } from "../testing/billing.ts";

const billing = await billingForTest();
afterAll(() => billing[Symbol.asyncDispose]());

const minute = 60_000;
const inMinutes = (n: number) => new Date(billing.clock.now() + n * minute).toISOString();
const suspension = (id: string) => ({ id, serverBillingState: "suspended_shutdown", reason: "chargeback" });

/** An account that was opened a minute ago. */
async function opened() {
  const id = await billing.open();
  await billing.clock.advance(minute);
  return id;
}

describe("overrideAccount", () => {
  test("200: the state holds at once, with a newer version, an event and a word to the audit log", async () => {
    const id = await opened();
    const state = await billing.ask("overrideAccount", suspension(id));
    expect(state).toMatchObject({
      billingStatus: "active",
      serverBillingState: "suspended_shutdown",
      since: inMinutes(0),
      version: 2,
    });
    const events = await billing.events(id);
    expect(events.map(({ version, payload }) => [version, payload.serverBillingState])).toEqual([
      [1, "allowed"],
      [2, "suspended_shutdown"],
    ]);
    expect(await billing.audit(id)).toEqual([
      {
        id: expect.stringMatching(/^aud_/),
        actor: "acc_operator",
        via: "ses_1",
        action: "billing.override",
        target: id,
        customerId: id,
        address: "192.0.2.7",
        requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
        at: inMinutes(0),
        details: { reason: "chargeback", state: "suspended_shutdown", until: null },
      },
    ]);
  });

  test("200: the same override again changes nothing", async () => {
    const id = await opened();
    const once = await billing.ask("overrideAccount", suspension(id));
    await billing.clock.advance(minute);
    expect(await billing.ask("overrideAccount", suspension(id))).toEqual(once);
    expect(await billing.events(id)).toHaveLength(2);
    expect(await billing.audit(id)).toHaveLength(1);
  });

  test("200: an override to the state that holds already keeps `since`", async () => {
    const id = await opened();
    const { since } = await billing.ask("getAccount", { accountId: id });
    const kept = await billing.ask("overrideAccount", { ...suspension(id), serverBillingState: "allowed" });
    expect(kept).toMatchObject({ since, version: 2 });
  });

  test("200: it ends by itself at `until`, not before, and not when it was made longer", async () => {
    const id = await opened();
    const reconcile = () => reconcileAccount(billing.deps)({ job: { key: id } });
    await billing.ask("overrideAccount", { ...suspension(id), until: inMinutes(10) });
    const [job] = await billing.query((tx) => tx`select queue, due_at from job where key = ${id}`);
    expect(job).toEqual({ queue: "billing_enforcement", dueAt: new Date(inMinutes(10)) });

    await billing.clock.advance(5 * minute);
    expect(await reconcile()).toEqual({ again: 5 * minute });
    await billing.ask("overrideAccount", { ...suspension(id), until: inMinutes(20) });
    await billing.clock.advance(10 * minute);
    expect(await reconcile()).toEqual({ again: 10 * minute });

    await billing.clock.advance(10 * minute);
    expect(await reconcile()).toBeUndefined();
    const after = await billing.ask("getAccount", { accountId: id });
    expect(after).toMatchObject({ serverBillingState: "allowed", version: 4, since: inMinutes(0) });
    const audit = await billing.audit(id);
    expect(audit.at(-1)).toMatchObject({ actor: "service:billing", action: "billing.override_expired" });
    expect(await reconcile()).toBeUndefined();
    expect(await billing.events(id)).toHaveLength(4);
  });

  test.each(["", "a\u0000bcd", "a\ud800bc"])(
    "400 request.invalid: with no reason that can be kept (%j)",
    async (reason) => {
      const asked = billing.ask("overrideAccount", { ...suspension(await opened()), reason });
      expect(asked).rejects.toMatchObject({ status: 400, code: "request.invalid" });
    },
  );

  test("403 auth.forbidden: a customer", async () => {
    const id = await opened();
    const asked = billing.ask("overrideAccount", suspension(id), account(id));
    expect(asked).rejects.toMatchObject({ status: 403, code: "auth.forbidden" });
  });

  test("404 billing.account_not_found", async () => {
    const asked = billing.ask("overrideAccount", suspension("acc_nobody"));
    expect(asked).rejects.toMatchObject({ status: 404, code: "billing.account_not_found" });
  });

  test("422 billing.until_past", async () => {
    const id = await opened();
    const asked = billing.ask("overrideAccount", { ...suspension(id), until: inMinutes(0) });
    expect(asked).rejects.toMatchObject({ status: 422, code: "billing.until_past" });
    expect(await billing.audit(id)).toHaveLength(0);
  });
});
