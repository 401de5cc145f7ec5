import { mkdirSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DevConfig } from "#shared/agent/contract.ts";
import type { Recipe } from "../installation.ts";
import { writeAtomic } from "../store.ts";
import { findRuntimes, type Runtime } from "./runtimes.ts";
import { isProgram, isThere } from "../files.ts";

export type DevPlace = {
  /** The customer's files. */
  workspace: string;
  /** Commands of the runtime: replaceable, no part of a backup. */
  commands: string;
};

/** Our own executable under another name; only its environment makes it the runtime. */
const wrapper = (first: readonly string[]) =>
  `#!/bin/sh\nBUN_BE_BUN=1 exec '${process.execPath}' ${[...first, '"$@"'].join(" ")}\n`;

/** A workspace, and the runtime's commands on its path. */
export function devRecipe(place: DevPlace, config: DevConfig): Recipe {
  const marker = join(place.commands, ".program");
  return {
    name: `dev:${config.runtime}`,
    complete: () => isThere(place.workspace) && isUsable(place, marker),
    async run({ signal, step }) {
      step("Preparing the workspace");
      mkdirSync(place.workspace, { recursive: true });
      step(`Setting up ${config.runtime}`);
      const runtime = (await findRuntimes()).find(({ id }) => id === config.runtime);
      signal.throwIfAborted();
      if (!runtime) throw new Error(`This machine has no ${config.runtime} any more.`);
      await writeCommands(place, runtime);
      await writeAtomic(marker, runtime.program ?? process.execPath, 0o644);
    },
  };
}

/** Whether the runtime that was set up is there and, where it is the agent's own executable, still that one. */
function isUsable(place: DevPlace, marker: string): boolean {
  if (!isThere(marker)) return false;
  const program = readFileSync(marker, "utf8");
  const bun = join(place.commands, "bun");
  const current = !isThere(bun) || readFileSync(bun, "utf8") === wrapper([]);
  return current && isProgram(program);
}

async function writeCommands(place: DevPlace, runtime: Runtime): Promise<void> {
  await rm(place.commands, { recursive: true, force: true });
  await mkdir(place.commands, { recursive: true });
  for (const [name, first] of Object.entries(runtime.commands))
    await writeAtomic(join(place.commands, name), wrapper(first), 0o755);
}
