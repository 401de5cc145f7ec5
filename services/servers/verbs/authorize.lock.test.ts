import { afterAll, describe, expect, test } from "bun:test";
import { serverActions, ServerAction } from "#shared/contract/authority.ts";
import { newId } from "#shared/ids/ids.ts";
import { newTraceparent } from "#shared/telemetry/trace.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { authorize as decide } from "../authority.ts";
import { serversForTest, service } from "../testing/servers.ts";

const clock = manualClock();
const servers = await serversForTest({ clock });
afterAll(() => servers[Symbol.asyncDispose]());

const ask = (serverId: string, action: ServerAction, actor = service, operationId?: string) =>
  servers.ask("authorize", { serverId, action, ...(operationId ? { operationId } : {}) }, actor);

describe("authorize: operation lock", () => {
  test("409 servers.busy: of twenty at once one takes the lock, the others are told who holds it", async () => {
    const { id, owner } = await servers.open();
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => ask(id, i % 2 ? "power.start" : "backups.create", owner)),
    );
    const winners = answers.filter((answer) => answer.status === "fulfilled");
    expect(winners).toHaveLength(1);
    const holder = winners[0]?.value.lock?.operationId;
    for (const answer of answers)
      if (answer.status === "rejected")
        expect(answer.reason).toMatchObject({
          status: 409,
          code: "servers.busy",
          retryable: true,
          details: {
            operation: {
              id: holder,
              type: expect.stringMatching(/^(power.start|backups.create)$/),
              startedAt: expect.any(String),
              statusUrl: `/api/operations/${holder}`,
            },
          },
        });
  });

  test("200: actions that are not exclusive never meet the lock", async () => {
    const { id } = await servers.open();
    await ask(id, "power.start");
    for (const action of ServerAction.options)
      if (!serverActions[action].exclusive) expect((await ask(id, action)).lock).toBeUndefined();
  });

  test("200: the same operation is given the same lock again when its answer was lost", async () => {
    const { id } = await servers.open();
    const operationId = newId("bkp");
    const first = await ask(id, "backups.create", service, operationId);
    expect(first.lock).toEqual({ operationId, fence: 1 });
    expect(await ask(id, "backups.create", service, operationId)).toEqual(first);
  });

  test("504 service.timeout: who asked has given up meanwhile, and leaves no lock behind", async () => {
    const { id } = await servers.open();
    const meta = {
      actor: service,
      requestId: "r",
      traceparent: newTraceparent(),
      deadline: clock.now(),
      address: undefined,
    };
    const late = decide(servers.deps, { serverId: id, action: "power.start", agent: false }, meta);
    expect(late).rejects.toMatchObject({ status: 504, code: "service.timeout" });
    expect((await ask(id, "power.stop")).lock?.fence).toBe(1);
  });

  test("200: a lock whose operation never began, as its taker was killed, is free much sooner", async () => {
    const { id, instanceId, owner } = await servers.open();
    const old = (await ask(id, "power.stop")).lock;
    await servers.age(instanceId, 15_000);
    expect(ask(id, "power.restart")).rejects.toMatchObject({ code: "servers.busy" });
    await servers.age(instanceId, 5_000);
    expect((await servers.ask("listServers", {}, owner)).servers[0]?.operationInProgress).toBe(false);
    // Nobody has taken it yet: who was slow and not killed may still begin.
    const words = { type: "power.stop", phase: "hold-lock", message: "Waiting to begin" };
    expect(await servers.ask("heartbeat", { instanceId, ...old, ...words })).toEqual({ held: true });
    await servers.age(instanceId, 50_000);
    expect(ask(id, "power.restart")).rejects.toMatchObject({ code: "servers.busy" });
    await servers.age(instanceId, 10_000);
    expect((await ask(id, "power.restart")).lock?.fence).toBe((old?.fence ?? 0) + 1);
  });

  test("200: a lock is as old as the database says, whatever the clock of this process", async () => {
    const { id } = await servers.open();
    await ask(id, "power.stop");
    await clock.advance(24 * 60 * 60_000);
    expect(ask(id, "power.stop")).rejects.toMatchObject({ code: "servers.busy" });
  });

  test("200: without a heartbeat the lock expires, and its fence is worth nothing any more", async () => {
    const { id, instanceId } = await servers.open();
    const old = (await ask(id, "backups.restore")).lock;
    const words = { type: "backups.restore", phase: "checkpoint", message: "Making a checkpoint" };
    await servers.ask("heartbeat", { instanceId, ...old, ...words });
    await servers.age(instanceId, 50_000);
    expect(ask(id, "power.stop")).rejects.toMatchObject({ code: "servers.busy" });
    await servers.age(instanceId, 10_000);
    const taken = (await ask(id, "power.stop")).lock;
    expect(taken?.fence).toBe((old?.fence ?? 0) + 1);
    expect(await servers.ask("heartbeat", { instanceId, ...old, ...words })).toEqual({ held: false });
    expect(await servers.ask("unlock", { instanceId, ...old })).toEqual({ released: false });
    expect(await servers.ask("unlock", { instanceId, ...taken })).toEqual({ released: true });
    expect((await ask(id, "power.stop")).lock?.fence).toBe((taken?.fence ?? 0) + 1);
  });
});
