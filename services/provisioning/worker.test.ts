import { expect, test } from "bun:test";
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
