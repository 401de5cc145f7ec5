import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentConfig } from "#shared/agent/contract.ts";
import { Store } from "./store.ts";
import { gameConfig, temporaryRoot } from "./testing/agent.ts";

test("what is set is there again after a restart, private, and without temporary files", async () => {
  using place = temporaryRoot();
  const store = new Store(place.root);
  const config = AgentConfig.parse(gameConfig(25_565));
  await Promise.all([
    store.set({ config }),
    store.set({ meant_to_run: true }),
    store.set({ meant_to_run: false }),
  ]);
  expect(new Store(place.root).get()).toEqual({ config, meant_to_run: false, installed: null });
  const folder = join(place.root, ".agent");
  expect(readdirSync(folder)).toEqual(["state.json"]);
  expect(statSync(join(folder, "state.json")).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("a state that cannot be read stops the agent instead of being forgotten", async () => {
  using place = temporaryRoot();
  await new Store(place.root).set({ meant_to_run: true });
  const file = join(place.root, ".agent", "state.json");
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 9));
  expect(() => new Store(place.root)).toThrow();
});
