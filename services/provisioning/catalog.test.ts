import { expect, test } from "bun:test";
import { chooseEngine, games } from "./catalog.ts";

test("what a wish leaves open is filled with the first variant that runs here, and its default version", () => {
  const engine = { game: "minecraft", variant: "flying-squid", version: "1.16.5" };
  expect(chooseEngine({})).toEqual({ engine });
  expect(chooseEngine({ variant: "flying-squid", version: "1.8.8" })).toEqual({
    engine: { ...engine, version: "1.8.8" },
  });
});

test("every version of every variant is either made or refused for what the host lacks", () => {
  for (const { id: game, variants } of games)
    for (const { id: variant, versions, available } of variants)
      for (const version of versions)
        expect(chooseEngine({ game, variant, version })).toMatchObject(
          available ? { engine: { game, variant, version } } : { error: "engine_unavailable" },
        );
});

test("a refusal names what is not known", () => {
  expect(chooseEngine({ version: "9.9" })).toEqual({
    error: "unknown_engine",
    detail: 'flying-squid has no version "9.9"',
  });
});
