import { readFileSync } from "node:fs";

/** Memory of a process in MiB: its own pages, and its share of those that it has in common with others. */
export function memoryMiB(pid: number): number {
  const said = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(said)?.[1] ?? 0) / 1024;
}
