import { chown, lstat, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { listProcesses } from "#shared/process/proc.ts";
import { userOf } from "./container-processes.ts";
import { isErrno } from "./problem.ts";

/** Makes an empty container directory, 0700, owned by `uid` if given. What was there before goes. */
export async function makeStorage(directory: string, uid: number | undefined): Promise<void> {
  // A directory without a record is the rest of a create that was killed, or of an installation whose records
  // were removed: either way the new container must not see it.
  await removeStorage(directory);
  await mkdir(directory, { mode: 0o700 });
  if (uid !== undefined) await chown(directory, uid, uid);
}

/** Whether the directory is there; gives it to `uid` first when the host ran as another user before. */
export async function claimStorage(directory: string, uid: number | undefined): Promise<boolean> {
  const found = await stat(directory).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (found && uid !== undefined && found.uid !== uid)
    await run("chown", "-R", "-h", `${uid}:${uid}`, directory);
  return found !== undefined;
}

/** Removes a container directory whatever modes its files have, never following a link out of it. */
export async function removeStorage(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM", "ENOTEMPTY")) throw error;
    // A customer may close his own folders to the user that we are.
    await run("chmod", "-R", "u+rwX", directory);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Where every user of the machine may leave something. */
const shared = ["/tmp", "/var/tmp", "/dev/shm"];

/**
 * Removes what the user of a container left in the folders that all users share: the next container of its number is
 * the same user and could read it. Where another host has a living container of that user, everything stays.
 */
export async function removeTemporaryFiles(uid: number, folders: readonly string[] = shared): Promise<void> {
  if (listProcesses().some(({ pid }) => userOf(pid) === uid)) return;
  for (const folder of folders)
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      if ((await lstat(path).catch(() => undefined))?.uid === uid) await removeStorage(path);
    }
}

async function run(...command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${stderr.slice(0, 500)}`);
}
