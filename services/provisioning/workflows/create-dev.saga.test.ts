import { afterAll } from "bun:test";
import { sagaContract } from "#shared/testing/saga.ts";
import { provisioningForTest } from "../testing/provisioning.ts";
import { creationWorld } from "../testing/saga-world.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { createDev } = provisioning.deps.sagas;
const engine = { ctype: "dev", runtime: "bun", version: "1.4.5" } as const;

sagaContract("create a dev container", createDev, {
  setup: () => creationWorld(provisioning, createDev, engine),
});
