import { expect, test } from "bun:test";
import { anonymous } from "#shared/contract/actor.ts";
import { provisioningForTest } from "../testing/provisioning.ts";

const common = { requires: [], available: true };
const runtimes = [
  { id: "bun", name: "Bun", versions: ["1.4.5"], defaultVersion: "1.4.5", ...common },
  { id: "node", name: "Node.js", versions: ["24.3.0"], defaultVersion: "24.3.0", ...common },
];

async function catalogForTest() {
  const made = await provisioningForTest({
    settings: { PROVISIONING_CATALOG_MS: 0, PROVISIONING_HOST_TIMEOUT_MS: 60_000 },
  });
  const ask = async () => (await made.call("devCatalog", {}, anonymous)).reply;
  return Object.assign(made, { ask });
}

test("devCatalog 200: the runtimes that the host has, also while it is silent", async () => {
  await using made = await catalogForTest();
  expect(await made.ask()).toEqual({ runtimes });
  void made.host.trouble.next("GET /health", "away");
  expect(await made.ask()).toEqual({ runtimes });
});

test("devCatalog 200: nobody waits for a host that hangs, once it was heard of", async () => {
  await using made = await catalogForTest();
  await made.ask();
  const hangs = made.host.trouble.next("GET /health", "held");
  expect(await made.ask()).toEqual({ runtimes });
  await hangs;
});

test("devCatalog 503 service.unavailable: the host was never heard of", async () => {
  await using made = await catalogForTest();
  void made.host.trouble.next("GET /health", "away");
  const refused = await made.ask().catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 503, code: "service.unavailable", retryable: true });
  expect(await made.ask()).toEqual({ runtimes });
});
