import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GameConfig } from "#shared/agent/contract.ts";
import type { Program } from "../workload/program.ts";
import { writeAtomic } from "../store.ts";
// oxlint-disable-next-line import/default -- the file's text, as launcher.d.mts declares it
import launcherSource from "./launcher.mjs" with { type: "text" };
import { pingMinecraft } from "./ping.ts";
import { parseProperties, type Properties, withProperties } from "./properties.ts";
import { isThere } from "../files.ts";

/** The npm package that is the embedded game. */
export const flyingSquid = "flying-squid@1.12.0";

/** Minecraft versions whose worlds this game keeps (1.12.2 loses blocks). */
export const flyingSquidVersions = [
  "1.8.8",
  "1.16.5",
  "1.18.2",
  "1.19.4",
  "1.20.1",
  "1.20.4",
  "1.21.1",
  "1.21.4",
] as const;

const defaults: Properties = {
  motd: "A Minecraft Server",
  "max-players": "20",
  // Players are checked by the proxy in front of it; a server of its own may turn this on.
  "online-mode": "false",
  gamemode: "survival",
  difficulty: "easy",
  "view-distance": "6",
};

const gameModes = ["survival", "creative", "adventure", "spectator"];
const difficulties = ["peaceful", "easy", "normal", "hard"];

export type GamePlace = {
  /** The customer's files: world and configuration. */
  server: string;
  /** The installed package and the launcher; no part of a backup. */
  runtime: string;
  /** The address that the game listens on. */
  bind: string;
  pingMs: number;
};

/** The customer's settings, or the defaults where the file is not there (yet) or not to be read. */
export function readSettings(server: string): Properties {
  const file = join(server, "server.properties");
  return { ...defaults, ...(isThere(file) ? parseProperties(readFileSync(file, "utf8")) : {}) };
}

/** How many players the settings admit: 1 to 1000. */
export function maxPlayers(server: string): number {
  return between(1, 1000, readSettings(server)["max-players"], 20);
}

/**
 * Writes what the game needs beside its package: the launcher, and `server.properties` with the defaults and the
 * port, which is not the customer's to choose.
 */
export async function prepareFlyingSquid(place: GamePlace, config: GameConfig): Promise<void> {
  mkdirSync(place.server, { recursive: true });
  mkdirSync(place.runtime, { recursive: true });
  await writeAtomic(join(place.runtime, "launcher.mjs"), launcherSource, 0o644);
  const file = join(place.server, "server.properties");
  const before = isThere(file) ? readFileSync(file, "utf8") : withProperties("", defaults);
  const after = withProperties(before, { "server-port": String(config.game_port) });
  if (after !== before || !isThere(file)) await writeAtomic(file, after, 0o644);
}

/** How to run the game with the settings as they are now. */
export function flyingSquidProgram(place: GamePlace, config: GameConfig): Program {
  const settings = readSettings(place.server);
  const host = place.bind === "0.0.0.0" || place.bind === "::" ? "127.0.0.1" : place.bind;
  const launch = {
    version: config.version,
    host: place.bind,
    port: config.game_port,
    motd: settings["motd"],
    maxPlayers: maxPlayers(place.server),
    onlineMode: settings["online-mode"] === "true",
    gameMode: choice(gameModes, settings["gamemode"], 0),
    difficulty: choice(difficulties, settings["difficulty"], 1),
    viewDistance: between(2, 10, settings["view-distance"], 6),
    worldFolder: join(place.server, config.world),
  };
  return {
    // Our own executable is the runtime; the game ends with the agent, however that ends.
    command: [process.execPath, "--no-orphans", join(place.runtime, "launcher.mjs"), JSON.stringify(launch)],
    cwd: place.server,
    env: {
      BUN_BE_BUN: "1",
      BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
      // What the garbage collector takes for the machine's memory; the hard limit is the host's.
      BUN_JSC_forceRAMSize: String(config.memory_mb * 1024 * 1024),
      HOME: place.runtime,
    },
    ping: () => pingMinecraft(host, config.game_port, place.pingMs),
    save: { line: "save-all", done: /Saved the game/ },
    stopLine: "stop",
    endedInOrder: (exit, tail) => exit.code === 0 && /\[INFO\]: Stopping the server$/m.test(tail),
  };
}

function between(low: number, high: number, text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return Number.isInteger(value) && text !== "" ? Math.min(high, Math.max(low, value)) : otherwise;
}

/** A name of the list, or its number; `otherwise` for anything else. */
function choice(names: readonly string[], text: string | undefined, otherwise: number): number {
  const index = names.indexOf(text ?? "");
  if (index >= 0) return index;
  return /^\d$/.test(text ?? "") && Number(text) < names.length ? Number(text) : otherwise;
}
