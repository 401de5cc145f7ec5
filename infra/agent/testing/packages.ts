import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flyingSquid } from "../game/flying-squid.ts";

/**
 * A package store with the embedded game, made once per machine and user and kept for the next run: the package
 * is 500 MB, far too much for every test. Safe when several processes make it at once.
 */
export async function packageStore(): Promise<string> {
  const store = join(tmpdir(), `zpack-packages-${process.getuid?.() ?? 0}`);
  const place = join(store, flyingSquid);
  if (existsSync(join(place, ".complete"))) return store;
  await mkdir(store, { recursive: true });
  const fresh = await mkdtemp(join(store, ".new-"));
  // Readable for every user: an agent may run as one of its own.
  await chmod(fresh, 0o755);
  await writeFile(join(fresh, "package.json"), '{"private":true}');
  const command = [process.execPath, "add", "--exact", "--ignore-scripts", flyingSquid];
  const added = Bun.spawnSync(command, { cwd: fresh, stderr: "pipe" });
  if (added.exitCode !== 0)
    throw new Error(`the package store could not be made: ${added.stderr.toString()}`);
  await writeFile(join(fresh, ".complete"), "");
  // Somebody else may have been quicker: then theirs is as good.
  await rename(fresh, place).catch(() => rm(fresh, { recursive: true, force: true }));
  return store;
}
