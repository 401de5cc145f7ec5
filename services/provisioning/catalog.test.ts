import { expect, test } from "bun:test";
import { chooseGame, games } from "./catalog.ts";

test("what a wish leaves open is filled with the first variant that runs here, and its default version", () => {
  const engine = { ctype: "game" as const, game: "minecraft", variant: "flying-squid", version: "1.16.5" };
  expect(chooseGame({})).toEqual({ engine });
  expect(chooseGame({ variant: "flying-squid", version: "1.8.8" })).toEqual({
    engine: { ...engine, version: "1.8.8" },
  });
});

test("every version of every variant is either made or refused for what the host lacks", () => {
  for (const { id: game, variants } of games)
    for (const { id: variant, versions, available } of variants)
      for (const version of versions)
        expect(chooseGame({ game, variant, version })).toMatchObject(
          available ? { engine: { ctype: "game", game, variant, version } } : { error: "engine_unavailable" },
        );
});

test("a refusal names what is not known", () => {
  expect(chooseGame({ version: "9.9" })).toEqual({
    error: "unknown_engine",
    detail: 'flying-squid has no version "9.9"',
  });
});
