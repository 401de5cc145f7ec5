import { expect, test } from "bun:test";
import { startWorker } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { enforcementQueue } from "./account.ts";
import { reconcileAccount } from "./reconcile.ts";
import { billingForTest } from "./testing/billing.ts";

test("the worker lifts an override when its time has come", async () => {
  await using billing = await billingForTest();
  const { clock, deps } = billing;
  const worker = startWorker({
    db: deps.db,
    queue: enforcementQueue,
    handle: reconcileAccount(deps),
    concurrency: 1,
    leaseMs: 15_000,
    sweepMs: 5_000,
    maxAttempts: 3,
    backoffMs: () => 1_000,
    clock,
    log: silentLogger,
  });
  try {
    const id = await billing.open();
    const until = new Date(clock.now() + 60_000).toISOString();
    await billing.ask("overrideAccount", { id, serverBillingState: "retained", reason: "fraud", until });
    const state = async () => (await billing.ask("getAccount", { accountId: id })).serverBillingState;
    expect(await state()).toBe("retained");
    while ((await state()) === "retained") await clock.advance(5_000);
    expect(clock.now()).toBeGreaterThanOrEqual(Date.parse(until));
  } finally {
    await worker.stop();
  }
});
