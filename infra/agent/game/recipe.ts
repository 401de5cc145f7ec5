import { join } from "node:path";
import type { GameConfig } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { ConsoleHub } from "../console/hub.ts";
import type { Recipe } from "../installation.ts";
import { flyingSquid, type GamePlace, prepareFlyingSquid } from "./flying-squid.ts";
import { installPackage } from "./install.ts";
import { isThere } from "../files.ts";

export type GameRecipeOptions = {
  root: string;
  place: GamePlace;
  packageStore?: string;
  console: ConsoleHub;
  clock: Clock;
};

/** The embedded game: its package, its launcher and its settings. */
export function gameRecipe(o: GameRecipeOptions, config: GameConfig): Recipe {
  return {
    name: flyingSquid,
    complete: () => isThere(join(o.place.runtime, "node_modules", "flying-squid", "package.json")),
    async run({ signal, step }) {
      await installPackage({
        package: flyingSquid,
        runtime: o.place.runtime,
        scratch: join(o.root, ".agent"),
        store: o.packageStore,
        console: o.console,
        clock: o.clock,
        signal,
        step,
      });
      step("Writing the configuration");
      await prepareFlyingSquid(o.place, config);
    },
  };
}
