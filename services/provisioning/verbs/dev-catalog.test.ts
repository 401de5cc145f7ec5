import { afterAll, expect, test } from "bun:test";
import { anonymous } from "#shared/contract/actor.ts";
import { provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());

test("devCatalog 200: no host here can make a dev container, so there is none to choose", async () => {
  const { reply } = await provisioning.call("devCatalog", {}, anonymous);
  expect(reply).toEqual({ runtimes: [] });
});
