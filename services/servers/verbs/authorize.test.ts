import { afterAll, describe, expect, test } from "bun:test";
import { ServerAction } from "#shared/contract/authority.ts";
import { type Actor, anonymous } from "#shared/contract/actor.ts";
import { Fault } from "#shared/fault/fault.ts";
import { newInstanceId } from "#shared/ids/ids.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { gateMatrix, ServerBillingState } from "#services/billing/contract.ts";
import { account, operator, serversForTest, service, silentBilling } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

const ask = (serverId: string, action: ServerAction, actor = service) =>
  servers.ask("authorize", { serverId, action }, actor);
const problem = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof Fault ? error.problem("request") : error),
  );

describe("authorize: ownership", () => {
  test("200: the facts of the owner's server, without its agent", async () => {
    const { id, owner, vmid, instanceId, customerId } = await servers.open();
    expect(await ask(id, "files.read", owner)).toEqual({
      instanceId,
      vmid,
      customerId,
      ctype: "game",
      name: "my world",
      hostname: `srv-${vmid}`,
      node: "local",
    });
    expect((await ask(instanceId, "files.read", owner)).vmid).toBe(vmid);
  });

  test("200: a service acts for itself, on every server", async () => {
    const { id, vmid } = await servers.open();
    expect((await ask(id, "backups.read")).vmid).toBe(vmid);
  });

  test("404 servers.not_found: alike for a server that does not exist, for another's, and for no actor", async () => {
    const { id, instanceId } = await servers.open();
    const stranger = account("acc_stranger");
    const unknown = await problem(ask("4711", "server.read", stranger));
    expect(unknown).toMatchObject({ status: 404, code: "servers.not_found" });
    for (const other of [
      id,
      instanceId,
      newInstanceId(),
      "0",
      "05000",
      "5000 ",
      "-1",
      "5e3",
      "99999999999",
      "",
    ])
      expect(await problem(ask(other, "server.read", stranger))).toEqual(unknown);
    for (const action of ServerAction.options)
      expect(await problem(ask(id, action, stranger))).toEqual(unknown);
    expect(await problem(ask(id, "server.read", anonymous))).toEqual(unknown);
  });

  test("200: an operator passes ownership, and the audit log is told", async () => {
    const { id, vmid, instanceId, customerId } = await servers.open();
    await ask(id, "files.write", operator);
    expect(await servers.audits(instanceId)).toEqual([
      {
        id: expect.stringMatching(/^aud_/),
        actor: "acc_operator",
        via: "ses_1",
        action: "files.write",
        target: instanceId,
        customerId,
        address: "192.0.2.7",
        requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
        at: new Date(clock.now()).toISOString(),
        details: { vmid },
      },
    ]);
  });

  test("404 servers.not_found: an operator's key that was not given an operator's scope is a customer's", async () => {
    const { id } = await servers.open();
    const holding = (scope: string): Actor => ({ ...operator, scopes: [scope] }) as Actor;
    expect(await problem(ask(id, "server.read", holding("servers:read")))).toMatchObject({
      code: "servers.not_found",
    });
    expect((await ask(id, "server.read", holding("admin:read"))).instanceId).toBeString();
    expect(await problem(ask(id, "power.stop", holding("admin:read")))).toMatchObject({
      code: "servers.not_found",
    });
    expect((await ask(id, "power.stop", holding("admin:write"))).instanceId).toBeString();
  });

  test("200: an operator who looks again and again is one line a minute for each action; what he does is one each time", async () => {
    const { id, instanceId } = await servers.open();
    const told = async () => (await servers.audits(instanceId)).map(({ action }) => action);
    for (let i = 0; i < 3; i++) await ask(id, "server.read", operator);
    await Promise.all([ask(id, "files.read", operator), ask(id, "files.read", operator)]);
    const ids = (await servers.audits(instanceId)).map((record) => record.id);
    // Two at once may both tell it: it is one record all the same.
    expect(new Set(ids).size).toBe(2);
    await clock.advance(60_000);
    await ask(id, "server.read", operator);
    expect((await told()).filter((action) => action === "server.read")).toHaveLength(2);
    for (let i = 0; i < 2; i++) {
      const { lock } = await ask(id, "power.stop", operator);
      await servers.ask("unlock", { instanceId, ...lock });
    }
    expect((await told()).slice(-2)).toEqual(["power.stop", "power.stop"]);
  });

  test("200: an operator's own server is no matter for the audit", async () => {
    const { id, instanceId } = await servers.open({ customerId: "acc_operator" });
    await ask(id, "server.read", operator);
    await ask(id, "power.stop", operator);
    expect(await servers.audits(instanceId)).toHaveLength(0);
  });
});

describe("authorize: billing gate", () => {
  test.each(ServerBillingState.options)(
    "402 billing.gated: every action in the state %s follows the matrix, for owners, operators and services alike",
    async (state) => {
      const { id, owner, customerId, instanceId } = await servers.open();
      const since = "2029-12-01T00:00:00.000Z";
      await servers.bills(customerId, { serverBillingState: state, since });
      for (const action of ServerAction.options)
        for (const actor of [owner, operator, service]) {
          const call = ask(id, action, actor);
          if (gateMatrix[action].includes(state)) {
            const { lock } = await call;
            if (lock) await servers.ask("unlock", { instanceId, ...lock });
          } else
            expect(await problem(call)).toMatchObject({
              status: 402,
              code: "billing.gated",
              details: { state, action, since, resolveUrl: "/api/billing" },
            });
        }
    },
  );

  test("402 billing.gated: a closed gate takes no lock", async () => {
    const { id, customerId } = await servers.open();
    await servers.bills(customerId, { serverBillingState: "retained" });
    expect(ask(id, "power.start")).rejects.toMatchObject({ code: "billing.gated" });
    expect((await ask(id, "power.stop")).lock?.fence).toBe(1);
  });

  test("200: an account never heard of is asked for once, and kept", async () => {
    const { id, customerId } = await unheard();
    await ask(id, "files.write");
    await ask(id, "files.write");
    expect(servers.asked.filter((asked) => asked === customerId)).toHaveLength(1);
  });

  test("503 service.unavailable: nothing known and no answer; what no state closes is open all the same", async () => {
    const { id, customerId } = await unheard();
    const { answer } = servers.bill;
    servers.bill.answer = silentBilling;
    expect(ask(id, "power.start")).rejects.toMatchObject({ status: 503, retryable: true });
    await ask(id, "files.read");
    await ask(id, "power.stop");
    servers.bill.answer = answer;
    expect(servers.asked).toContain(customerId);
  });

  test("200 and 402: without an answer of billing the last known state holds", async () => {
    const { answer } = servers.bill;
    servers.bill.answer = silentBilling;
    const good = await servers.open();
    const bad = await servers.open();
    await servers.bills(bad.customerId, { serverBillingState: "suspended_shutdown" });
    await ask(good.id, "power.start");
    expect(ask(bad.id, "power.start")).rejects.toMatchObject({ code: "billing.gated" });
    servers.bill.answer = answer;
  });
});

/** A server whose account billing has never spoken of. */
async function unheard() {
  const opened = await servers.open();
  await servers.query((tx) => tx`delete from account_billing where account_id = ${opened.customerId}`);
  return opened;
}
