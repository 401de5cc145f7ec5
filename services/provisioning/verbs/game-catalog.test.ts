import { afterAll, expect, test } from "bun:test";
import { anonymous } from "#shared/contract/actor.ts";
import { provisioning as contract } from "../contract.ts";
import { provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());

test("gameCatalog 200: games, variants and versions, and what each needs", async () => {
  const { reply } = await provisioning.call("gameCatalog", {}, anonymous);
  const { games } = contract.routes.gameCatalog.reply.parse(reply);
  expect(games.map(({ id }) => id)).toEqual(["minecraft"]);
  const variants = games.flatMap((game) => game.variants);
  expect(variants.filter(({ available }) => available).map(({ id }) => id)).toEqual(["flying-squid"]);
  for (const { versions, defaultVersion, requires, available } of variants) {
    expect(versions).toContain(defaultVersion);
    expect(available).toBe(requires.length === 0);
  }
});
