import { Database } from "bun:sqlite";
import { join } from "node:path";

/**
 * Makes this process the only host of `home`: two would start every agent twice. The lock is the kernel's (taken
 * through SQLite, as Bun offers no flock), so it ends with its holder, however that dies.
 */
export function lockHome(home: string): { release(): void } {
  const database = new Database(join(home, "lock"), { create: true });
  try {
    database.run("begin exclusive");
  } catch (cause) {
    database.close();
    throw new Error(`another local host works in ${home}`, { cause });
  }
  return { release: () => database.close() };
}
