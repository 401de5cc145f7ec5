import { join } from "node:path";
import type { AgentConfig } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { ConsoleHub } from "./console/hub.ts";
import { devRecipe } from "./dev/recipe.ts";
import { flyingSquidProgram, type GamePlace, maxPlayers, prepareFlyingSquid } from "./game/flying-squid.ts";
import { gameRecipe } from "./game/recipe.ts";
import type { Recipe } from "./installation.ts";
import type { Store } from "./store.ts";
import { Dev } from "./workload/dev.ts";
import { Game, type GameTiming } from "./workload/game.ts";
import type { Workload } from "./workload/workload.ts";

// The two kinds of container: what each installs, and what each runs. Both live in one root, side by side.

export type KindOptions = {
  root: string;
  bind: string;
  gamePort?: number;
  packageStore?: string;
  timing: GameTiming;
  store: Store;
  console: ConsoleHub;
  clock: Clock;
  log: Logger;
};

export type Kinds = ReturnType<typeof kindsOf>;

export function kindsOf(o: KindOptions) {
  const game: GamePlace = {
    server: join(o.root, "server"),
    runtime: join(o.root, "runtime"),
    bind: o.bind,
    pingMs: o.timing.pingMs,
  };
  const dev = { workspace: join(o.root, "workspace"), commands: join(o.root, "runtime", "bin") };

  const recipe = (config: AgentConfig): Recipe =>
    config.container_type === "dev" ? devRecipe(dev, config) : gameRecipe({ ...o, place: game }, config);

  /** The configuration at the moment when it is needed: a new one holds from the next start on. */
  const configNow = () => o.store.get().config;

  const workload = (type: AgentConfig["container_type"]): Workload => {
    if (type === "dev") {
      const complete = () => {
        const config = configNow();
        return config !== null && recipe(config).complete();
      };
      const wantsCodeServer = () => {
        const config = configNow();
        return config?.container_type === "dev" && config.enable_code_server;
      };
      return new Dev({ ...o, place: dev, complete, wantsCodeServer });
    }
    return new Game({
      ...o,
      maxPlayers: () => maxPlayers(game.server),
      onEndedInOrder: () => void o.store.set({ meant_to_run: false }).catch(() => {}),
      program: async () => {
        const kept = configNow();
        if (kept?.container_type !== "game") throw new Error("There is no game's configuration");
        const config = { ...kept, game_port: o.gamePort ?? kept.game_port };
        await prepareFlyingSquid(game, config);
        return flyingSquidProgram(game, config);
      },
    });
  };

  return { recipe, workload };
}
