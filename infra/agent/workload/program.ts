import type { Exit } from "../console/terminal.ts";

/** What a game says about itself to anybody who asks. */
export type ServerList = {
  online: number;
  max: number;
  players: { name: string; id: string }[];
  latencyMs: number;
};

/** How one kind of game is run; everything that differs between games is here. */
export type Program = {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  /** Asks the game as a player's client would; undefined when it does not answer as a game. */
  ping(): Promise<ServerList | undefined>;
  /** The console line that writes everything to disk, and the line that says it is done. */
  save: { line: string; done: RegExp };
  /** The console line that ends the game. */
  stopLine: string;
  /** Whether an end that the agent did not ask for was one all the same: somebody typed the stop line. */
  endedInOrder(exit: Exit, tail: string): boolean;
};
