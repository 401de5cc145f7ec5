import { afterAll } from "bun:test";
import { sagaContract } from "#shared/testing/saga.ts";
import { provisioningForTest } from "../testing/provisioning.ts";
import { creationWorld } from "../testing/saga-world.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { createGame } = provisioning.deps.sagas;
const engine = { ctype: "game", game: "minecraft", variant: "flying-squid", version: "1.16.5" } as const;

sagaContract("create a game server", createGame, {
  setup: () => creationWorld(provisioning, createGame, engine),
});
