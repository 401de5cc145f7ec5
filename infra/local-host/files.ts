import { randomBytes } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const tempSuffix = ".tmp";

/**
 * Replaces `path` in one step: after a crash, the old text is there or the new one, never a part.
 * On failure (a full disk, say) the old file stands and no temporary file stays.
 */
export async function writeAtomic(path: string, text: string, mode: number): Promise<void> {
  const temp = `${path}.${randomBytes(6).toString("hex")}${tempSuffix}`;
  try {
    const file = await open(temp, "wx", mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes renames and removals in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what a write that was killed left behind. */
export async function removeTemporaries(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.endsWith(tempSuffix)) await rm(join(directory, name), { recursive: true, force: true });
}
