import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { listProcesses } from "#shared/process/proc.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { isErrno } from "./problem.ts";

// The folder in the shared root that keeps what a home cannot, and the file `origin` in it: the home, and the number of
// the device that the home is on. By it a folder is found whose home was removed.

const suffix = ".removing";

/** The name of a home's folder in the shared root. */
export const folderOf = (home: string): string =>
  createHash("sha256").update(home).digest("hex").slice(0, 16);

/** Names, in `folder`, the home that it belongs to; for the operator who finds it, and for the purge. */
export async function writeOrigin(folder: string, home: string): Promise<void> {
  await writeFile(join(folder, "origin"), `${home}\n${(await stat(home)).dev}\n`);
}

/**
 * Removes the folders of `sharedRoot` whose home is gone for good, and answers their names. A folder stays when it does
 * not prove whose it is, when anything still runs in it, or when its home may only be out of sight: on a disk that is
 * not mounted now.
 */
export async function purgeForsaken(sharedRoot: string, log: Logger): Promise<string[]> {
  const purged: string[] = [];
  for (const name of await readdir(sharedRoot).catch(() => [])) {
    const folder = join(sharedRoot, name);
    if (/^[0-9a-f]{16}$/.test(name) && (await isForsaken(folder, name))) {
      await rename(folder, folder + suffix);
      purged.push(name);
    } else if (!/^[0-9a-f]{16}\.removing$/.test(name)) continue;
    // Also one whose purge was cut short: its name says that the decision was made.
    await rm(name.endsWith(suffix) ? folder : folder + suffix, { recursive: true, force: true });
  }
  if (purged.length > 0) log.info({ purged }, "removed what homes that are gone have left");
  return purged;
}

async function isForsaken(folder: string, name: string): Promise<boolean> {
  const text = await readFile(join(folder, "origin"), "utf8").catch(() => "");
  const [home = "", device = ""] = text.split("\n");
  if (!home.startsWith("/") || folderOf(home) !== name || (await exists(home))) return false;
  if (isAtWork(folder)) return false;
  // A folder without containers holds nothing that could not be made again.
  const containers = await readdir(join(folder, "containers")).catch(() => []);
  return containers.length === 0 || (device !== "" && (await deviceAbove(home)) === Number(device));
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    // Anything but a plain no may be a home that cannot be reached now.
    (error: unknown) => !isErrno(error, "ENOENT"),
  );
}

/** The device of the nearest folder above `path` that exists: another one than before, where its disk is not mounted. */
async function deviceAbove(path: string): Promise<number> {
  for (let at = dirname(path); ; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined);
    if (found) return found.dev;
    if (at === dirname(at)) return Number.NaN;
  }
}

const isAtWork = (folder: string): boolean =>
  listProcesses().some(({ command }) => command.some((word) => word.startsWith(`${folder}/`)));
