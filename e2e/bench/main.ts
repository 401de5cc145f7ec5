// Ours beside others', in one run: `bun run bench`. Figures of one machine mean little; their ratios do.
import { benchJobs, printJobs } from "./jobs/bench.ts";
import { benchStatus, type StatusFigures } from "./status.ts";

const [rounds = 5, seconds = 4] = process.argv.slice(2).map(Number);

print("GET /api/servers/:id/status, 64 connections\n");
printStatus(await benchStatus({ rounds, seconds, connections: 64 }));
print("\nDurable jobs, one Postgres with fsync for both\n");
print(printJobs(await benchJobs({ rounds })));

function printStatus({ targets, memory }: StatusFigures): void {
  table([
    ["", "requests/s", "p50 ms", "p99 ms", "zpack is"],
    ...targets.map(({ name, perSecond, p50, p99, ratio }) => [
      name,
      perSecond.toFixed(0),
      p50.toFixed(1),
      p99.toFixed(1),
      ratio === 1 ? "" : `${ratio.toFixed(1)} times`,
    ]),
  ]);
  print("\nMemory after it, with each process's share of what several map\n");
  table(memory.map(({ name, mib }) => [name, `${mib.toFixed(0)} MiB`]));
}

/** Columns as wide as their widest cell; the first is aligned to the left. */
function table(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  for (const row of rows)
    print(
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  "),
    );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
