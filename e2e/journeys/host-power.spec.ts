import { expect, finish, gameServer, type Operation, statusUntil, test } from "#e2e/fixtures.ts";
import { ping } from "#e2e/minecraft.ts";

type Answer = { operation: Operation; code?: string; details?: { operation: Operation } };

test("the host of a game is stopped, started and restarted, and the game comes back by itself as it was", async ({
  ada,
  bob,
}) => {
  const server = await gameServer(ada);
  const ask = (action: string, api = ada) =>
    api.send<Answer>("POST", `/api/servers/${server.id}/host/${action}`);
  const playable = async () => {
    // Its start is an operation of its own, which ends a moment after the game can be joined.
    const settled = ({ connectable, operation }: Record<string, unknown>) =>
      connectable === true && operation === null;
    await statusUntil(ada, server.id, settled, 60_000);
    await ping(server.address, "1.16.5");
  };
  await playable();

  const strangers = await ask("stop", bob);
  expect(strangers.status).toBe(404);
  expect(strangers.body.code).toBe("servers.not_found");

  const [first, second] = await Promise.all([ask("stop"), ask("stop")]);
  const [taken, refused] = first.status === 202 ? [first, second] : [second, first];
  expect([taken.status, refused.status]).toEqual([202, 409]);
  expect(refused.body).toMatchObject({
    code: "servers.busy",
    details: { operation: { id: taken.body.operation.id } },
  });
  expect(await finish(ada, taken.body.operation.id)).toMatchObject({
    type: "host.stop",
    status: "succeeded",
    serverId: server.id,
  });
  // The customer has stopped the host, and not the game.
  const down = await statusUntil(
    ada,
    server.id,
    ({ host }) => (host as { status: string }).status === "offline",
  );
  expect(down).toMatchObject({ desired: "running", agentReady: false, connectable: false });
  await expect(ping(server.address, "1.16.5")).rejects.toThrow();

  for (const action of ["start", "restart"]) {
    const { status, body } = await ask(action);
    expect(status, JSON.stringify(body)).toBe(202);
    expect(await finish(ada, body.operation.id)).toMatchObject({
      type: `host.${action}`,
      status: "succeeded",
    });
    await playable();
  }
});
