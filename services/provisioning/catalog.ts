import type { z } from "zod";
import type { provisioning } from "./contract.ts";

type Game = z.output<(typeof provisioning)["routes"]["gameCatalog"]["reply"]>["games"][number];
type Variant = Game["variants"][number];
export type Runtime = z.output<(typeof provisioning)["routes"]["devCatalog"]["reply"]>["runtimes"][number];

const jarVersions = ["1.21.4", "1.21.1", "1.20.4", "1.20.1", "1.19.4", "1.18.2"];

/** A variant that runs an official server jar: it needs what this kind of host does not bring. */
const jar = (id: string, name: string, java: string, versions = jarVersions): Variant => ({
  id,
  name,
  versions,
  defaultVersion: versions[0] ?? "",
  requires: [java, "artifact server"],
  available: false,
});

/** Games and their variants, the default of each first. */
export const games: readonly Game[] = [
  {
    id: "minecraft",
    name: "Minecraft: Java Edition",
    variants: [
      {
        id: "flying-squid",
        name: "flying-squid",
        // Those whose worlds it keeps on disk; of 1.12.2, for one, it loses blocks.
        versions: ["1.21.4", "1.21.1", "1.20.4", "1.20.1", "1.19.4", "1.18.2", "1.16.5", "1.8.8"],
        // The newest one of which a client has read back a changed world.
        defaultVersion: "1.16.5",
        requires: [],
        available: true,
      },
      jar("vanilla", "Vanilla", "Java 21"),
      jar("paper", "Paper", "Java 21"),
      jar("fabric", "Fabric", "Java 21"),
      jar("forge", "Forge", "Java 17", ["1.20.1", "1.19.4", "1.18.2"]),
      jar("neoforge", "NeoForge", "Java 21", ["1.21.4", "1.21.1", "1.20.4"]),
    ],
  },
];

/** What a game server runs; its members are ids of the catalogue. */
export type GameEngine = { ctype: "game"; game: string; variant: string; version: string };
/** What a dev container brings. */
export type DevEngine = { ctype: "dev"; runtime: string; version: string };
export type Engine = GameEngine | DevEngine;

type Wish<E extends Engine> = { [K in Exclude<keyof E, "ctype">]?: string | undefined };
export type NoEngine = { error: "unknown_engine" | "engine_unavailable"; detail: string };
export type Choice = { engine: Engine } | NoEngine;

/** The game that a create asks for, absent members filled with defaults; or why there is none. */
export function chooseGame(wish: Wish<GameEngine>): Choice {
  const game = wish.game === undefined ? games[0] : games.find(({ id }) => id === wish.game);
  if (!game) return unknown(`There is no game ${quoted(wish.game)}`);
  const variant =
    wish.variant === undefined
      ? game.variants.find(({ available }) => available)
      : game.variants.find(({ id }) => id === wish.variant);
  if (!variant) return unknown(`${game.name} has no variant ${quoted(wish.variant)}`);
  const version = wish.version ?? variant.defaultVersion;
  if (!variant.versions.includes(version))
    return unknown(`${variant.name} has no version ${quoted(version)}`);
  if (!variant.available) {
    const detail = `${variant.name} needs ${variant.requires.join(" and ")}, which this installation does not have`;
    return { error: "engine_unavailable", detail };
  }
  return { engine: { ctype: "game", game: game.id, variant: variant.id, version } };
}

/** The same for a dev container, among the runtimes that its host has; the first of them is the default. */
export function chooseRuntime(runtimes: readonly Runtime[], wish: Wish<DevEngine>): Choice {
  const { runtime: id = runtimes[0]?.id } = wish;
  const runtime = runtimes.find((each) => each.id === id);
  if (!runtime) {
    const all = runtimes.map((each) => each.id).join(", ");
    return unknown(`There is no runtime ${quoted(id)}; there are: ${all}`);
  }
  const version = wish.version ?? runtime.defaultVersion;
  if (!runtime.versions.includes(version))
    return unknown(`${runtime.name} is there as ${runtime.versions.join(", ")}, not as ${quoted(version)}`);
  return { engine: { ctype: "dev", runtime: runtime.id, version } };
}

const unknown = (detail: string): NoEngine => ({ error: "unknown_engine", detail });
const quoted = (text: string | undefined) => JSON.stringify(text ?? "");
