import { afterAll, describe, expect, test } from "bun:test";
import { account } from "../testing/provisioning.ts";
import { hostPowerForTest } from "../testing/host-power.ts";

const made = await hostPowerForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { ask } = made;

describe("startHost", () => {
  test("202: accepted, stored and queued under the server's lock", async () => {
    const server = await made.server({ running: false });
    const { operation, headers } = await ask("startHost", server);
    const { id } = operation;
    expect(id).toMatch(/^prv_[0-9a-z]{26}$/);
    expect(operation).toMatchObject({
      type: "host.start",
      status: "queued",
      serverId: server.id,
      finishedAt: null,
      statusUrl: `/api/operations/${id}`,
    });
    expect(headers).toEqual({ location: operation.statusUrl });
    expect(server.lock()).toMatchObject({ operationId: id });
    const { reply } = await made.call("getOperation", { operationId: id }, server.owner);
    expect(reply).toEqual(operation);
    const jobs = await made.query((tx) => tx`select queue from job where key = ${id}`);
    expect([...jobs]).toEqual([{ queue: "provisioning-locked" }]);
  });

  test("202: an operator, for whoever's server", async () => {
    const server = await made.server({ running: false });
    const { operation } = await ask("startHost", server, account("acc_op", "operator"));
    const { reply } = await made.call("getOperation", { operationId: operation.id }, server.owner);
    expect(reply).toEqual(operation);
  });

  test.each(["suspended_shutdown", "retained"] as const)(
    "402 billing.gated: the account is %s, and nothing has begun",
    async (state) => {
      const server = await made.server({ running: false });
      made.registry.billing.set(server.customerId, state);
      expect(ask("startHost", server)).rejects.toMatchObject({
        status: 402,
        code: "billing.gated",
        details: { state, action: "power.start" },
      });
      expect(server.lock()).toBeUndefined();
    },
  );

  test("404 servers.not_found: somebody else's server is answered like one that does not exist", async () => {
    const server = await made.server({ running: false });
    const notFound = { status: 404, code: "servers.not_found" };
    expect(ask("startHost", server, account("acc_eve"))).rejects.toMatchObject(notFound);
    expect(ask("startHost", { ...server, id: "5999" })).rejects.toMatchObject(notFound);
    expect(server.lock()).toBeUndefined();
  });

  test("409 servers.busy: a second one while the first is under way is told which", async () => {
    const server = await made.server({ running: false });
    const { operation } = await ask("startHost", server);
    for (const route of ["startHost", "stopHost", "restartHost"] as const)
      expect(ask(route, server)).rejects.toMatchObject({
        status: 409,
        code: "servers.busy",
        details: { operation: { id: operation.id } },
      });
  });
});
