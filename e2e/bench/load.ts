import { spawnSync } from "node:child_process";

/** What one round of load measured. Times in milliseconds. */
export type Round = { perSecond: number; p50: number; p99: number; failed: number };

/** Brings `wrk`, the generator of load, where it is missing and this user may install it; else throws what to do. */
export function needWrk(): void {
  if (spawnSync("wrk", ["-v"]).error === undefined) return;
  spawnSync("apt-get", ["install", "-y", "-q", "wrk"], { stdio: "ignore" });
  if (spawnSync("wrk", ["-v"]).error) throw new Error("The benchmark needs wrk: apt-get install wrk");
}

/** Asks for `url` over `connections` connections that each wait for their answer, for `seconds`, and counts. */
export async function load(o: {
  url: string;
  token: string;
  connections: number;
  seconds: number;
}): Promise<Round> {
  const command = ["wrk", "-t1", `-c${o.connections}`, `-d${o.seconds}s`, "--latency"];
  const wrk = Bun.spawn([...command, "-H", `Authorization: Bearer ${o.token}`, o.url], { stderr: "inherit" });
  const said = await new Response(wrk.stdout).text();
  if ((await wrk.exited) !== 0) throw new Error(`wrk failed: ${said}`);
  const find = (pattern: RegExp) => pattern.exec(said)?.[1];
  return {
    perSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50: milliseconds(find(/50%\s+([\d.]+\w+)/)),
    p99: milliseconds(find(/99%\s+([\d.]+\w+)/)),
    failed: Number(find(/Non-2xx or 3xx responses: (\d+)/) ?? 0),
  };
}

function milliseconds(text = ""): number {
  const [, value = "", unit = ""] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit];
  if (factor === undefined) throw new Error(`"${text}" is no duration`);
  return Number(value) * factor;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
};
