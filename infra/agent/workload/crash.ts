import { readFileSync } from "node:fs";
import type { CrashClass } from "#shared/agent/contract.ts";
import type { Exit } from "../console/terminal.ts";

const outOfMemory =
  /out ?of ?memory|OutOfMemoryError|heap limit|Cannot allocate memory|ENOMEM|insufficient memory/i;
const missingDependency =
  /Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND|NoClassDefFoundError|ClassNotFoundException|Could not find or load main class|UnsupportedClassVersionError|missing or unsupported mandatory dependencies|requires (?:any version|version) .* which is missing|error while loading shared libraries|Unknown dependenc/i;
const modOrPlugin =
  /Mixin apply failed|ModLoadingException|LoadingFailedException|Mod (?:loading|resolution) (?:has )?(?:failed|encountered)|Incompatible mods? found|Failed to load (?:mod|plugin)|Could not load ['"]?plugins?\/|Error occurred while enabling|InvalidPluginException|plugins?\/[^ ]+\.(?:jar|js)|mods\/[^ ]+\.jar/i;

/**
 * Names the cause of an end that nobody asked for, by its exit and the console's last lines. `killedForMemory`
 * says whether the kernel killed something in our memory group since the start.
 */
export function classify(exit: Exit, tail: string, killedForMemory: boolean): CrashClass {
  if (outOfMemory.test(tail) || (exit.signal === "SIGKILL" && killedForMemory)) return "oom";
  if (missingDependency.test(tail)) return "missing_dependency";
  if (modOrPlugin.test(tail)) return "mod_or_plugin_error";
  return exit.code !== null && exit.code !== 0 ? "nonzero_exit" : "unexpected_exit";
}

/** How often the kernel has killed for memory in this container; 0 where it does not tell. */
export function memoryKills(file = "/sys/fs/cgroup/memory.events"): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
