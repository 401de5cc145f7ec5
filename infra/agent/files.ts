import { statSync } from "node:fs";

// access(2), and so existsSync, answers for the real user of a process, which here is the agent's own (guard.ts): it
// would find nothing of what belongs to the effective one. stat(2) answers for the user that opens the file.

/** Whether there is anything at `path`, links followed. Throws when it cannot be known. */
export const isThere = (path: string): boolean => modeOf(path) !== undefined;

/** Whether every user of this machine may run it. */
export const isProgram = (path: string): boolean => ((modeOf(path) ?? 0) & 0o001) !== 0;

function modeOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mode;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
