import { dlopen } from "bun:ffi";

// A workload shares its files with the agent, and nothing else: it must not be able to end, trace or read the agent,
// which knows what the control plane says. The host starts the agent with a real user of its own and the workload's
// user as the effective one. Files go by the effective user; signals and inspection by the real and the saved one.

/** `PR_SET_DUMPABLE` of prctl(2). */
const setDumpable = 4;

/** Whether the host gave this process a real user that its workload does not have. */
export const hasOwnUser = (): boolean => process.getuid?.() !== process.geteuid?.();

/**
 * Closes this process to its workload; to be called before the first secret is read. `/proc/<pid>/` (environment,
 * memory, descriptors) and ptrace are closed to everybody but root, also where both are the same user; with a real
 * user of its own, signals of the workload are refused as well. Throws when the kernel does not agree.
 */
export function guardProcess(): void {
  const libc = dlopen("libc.so.6", {
    setresuid: { args: ["u32", "u32", "u32"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  });
  const [real, effective] = [process.getuid?.() ?? 0, process.geteuid?.() ?? 0];
  // The saved user is the effective one since exec; a signal is allowed to whoever equals it.
  if (hasOwnUser() && libc.symbols.setresuid(real, effective, real) !== 0)
    throw new Error("the agent's own user cannot be kept");
  if (libc.symbols.prctl(setDumpable, 0, 0, 0, 0) !== 0)
    throw new Error("the agent cannot be closed to other processes");
  libc.close();
}

/**
 * Opens a socket that belongs to our real user, and so to nobody whom the workload can be: of a port that its host
 * holds for that user (SO_REUSEPORT), the workload never gets a share.
 */
export function asRealUser<T>(open: () => T): T {
  const libc = dlopen("libc.so.6", { setfsuid: { args: ["u32"], returns: "i32" } });
  libc.symbols.setfsuid(process.getuid?.() ?? 0);
  try {
    return open();
  } finally {
    libc.symbols.setfsuid(process.geteuid?.() ?? 0);
    libc.close();
  }
}

/** The command as the workload's own user, who cannot become the agent's or, by a setuid program, anybody else. */
export function asWorkload(command: readonly string[]): string[] {
  if (!hasOwnUser()) return [...command];
  return ["/usr/bin/setpriv", `--reuid=${process.geteuid?.()}`, "--no-new-privs", "--", ...command];
}
