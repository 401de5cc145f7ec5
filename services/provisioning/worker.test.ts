import { expect, test } from "bun:test";
import { hostPowerForTest } from "./testing/host-power.ts";
import { creationForTest } from "./testing/creation.ts";
import { deleteServer, plantServer } from "./testing/deletion.ts";

test("creations that wait for their servers keep nobody from what is done to a server that is there", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_CONCURRENCY: 1 } });
  made.host.behaviour.installPolls = 1_000_000;
  const creation = await made.create();
  await creation.until(({ phase }) => phase === "wait-ready");
  const deletion = await deleteServer(made, await plantServer(made));
  expect(await deletion.end()).toMatchObject({ status: "succeeded" });
  expect((await creation.until(() => true)).phase).toBe("wait-ready");
});

test("what was accepted and waits for a place keeps its server's lock meanwhile", async () => {
  await using made = await hostPowerForTest({
    working: true,
    settings: { PROVISIONING_CONCURRENCY: 1, PROVISIONING_HEARTBEAT_MS: 5 },
  });
  const gate = Promise.withResolvers<void>();
  const arrived = made.host.trouble.next("POST /containers/:vmid/stop", () => gate.promise);
  const [first, second] = [await made.server(), await made.server()];
  const one = await made.ask("stopHost", first);
  const two = await made.ask("stopHost", second);
  const beats = () => made.registry.beats.filter(({ operationId }) => operationId === two.operation.id);
  expect((await two.until(() => beats().length >= 3)).status).toBe("queued");
  expect(beats()[0]).toMatchObject({ ...second.lock(), phase: "hold-lock", message: "Waiting to begin" });
  gate.resolve();
  await arrived;
  for (const { end } of [one, two]) expect(await end()).toMatchObject({ status: "succeeded" });
});
