// `bun e2e/bench/jobs/bench.ts [rounds]`: durable jobs per second, ours beside pg-boss.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { asAdmin } from "#infra/postgres/admin.ts";
import { linesOf } from "#shared/testing/child.ts";
import type { Measured, Scenario } from "./scenarios.ts";
import { median } from "../load.ts";

export type JobFigures = {
  /** What each side ran on. */
  runtimes: { ours: string; peer: string };
  rows: { name: string; ours: Measured; peer: Measured; ratio: number }[];
};

const scenarios: (Scenario & { name: string })[] = [
  { name: "one at a time, each after the last is done", kind: "turns", jobs: 500, batch: 1, limit: 1 },
  { name: "asked for one by one, done one by one", kind: "stream", jobs: 1_000, batch: 1, limit: 1 },
  { name: "in batches of 10", kind: "batches", jobs: 5_000, batch: 10, limit: 1_000 },
  { name: "in batches of 100", kind: "batches", jobs: 15_000, batch: 100, limit: 1_000 },
  { name: "in batches of 500", kind: "batches", jobs: 30_000, batch: 500, limit: 1_000 },
];

const root = resolve(import.meta.dirname, "../../..");
const part = (file: string) => join(import.meta.dirname, file);

/**
 * Both sides on one Postgres with its ordinary durability: a job is done when its end is committed, and commits wait for
 * the disk. Rounds alternate, so that what else the machine does falls on both alike; figures are medians over the rounds.
 */
export async function benchJobs(o: { rounds: number; peerRoot?: string }): Promise<JobFigures> {
  const dir = mkdtempSync(join(tmpdir(), "zpack-bench-jobs-"));
  const data = join(dir, "data");
  const password = crypto.randomUUID();
  const sides: Child[] = [];
  try {
    const { port } = await startPostgres({ dir: data, password });
    const url = (database: string) => `postgres://${superuser}:${password}@127.0.0.1:${port}/${database}`;
    await asAdmin(url("postgres"), async (sql) => {
      for (const name of ["ours", "peer"]) await sql.unsafe(`create database ${name}`);
    });
    await asAdmin(url("ours"), (sql) => sql.unsafe("create schema bench"));
    const ours = new Child([process.execPath, part("ours.ts")], root, url("ours"));
    const peer = new Child(await peerCommand(), o.peerRoot ?? root, url("peer"));
    sides.push(ours, peer);
    const runtimes = { ours: await ours.runtime(), peer: await peer.runtime() };
    const rows: JobFigures["rows"] = [];
    for (const scenario of scenarios) rows.push(await compare(ours, peer, scenario, o.rounds));
    return { runtimes, rows };
  } finally {
    await Promise.all(sides.map((side) => side.end()));
    await stopPostgres(data);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function compare(
  ours: Child,
  peer: Child,
  { name, ...scenario }: (typeof scenarios)[number],
  rounds: number,
) {
  const measured: { ours: Measured[]; peer: Measured[] } = { ours: [], peer: [] };
  for (let round = 0; round <= rounds; round++) {
    const pair = { ours: await ours.measure(scenario), peer: await peer.measure(scenario) };
    // The first round warms up.
    if (round === 0) continue;
    measured.ours.push(pair.ours);
    measured.peer.push(pair.peer);
  }
  const figures = { ours: medians(measured.ours), peer: medians(measured.peer) };
  return { name, ...figures, ratio: figures.ours.perSecond / figures.peer.perSecond };
}

const medians = (rounds: Measured[]): Measured => ({
  perSecond: median(rounds.map((round) => round.perSecond)),
  p50: median(rounds.map((round) => round.p50)),
  p99: median(rounds.map((round) => round.p99)),
});

/** Node reads no TypeScript everywhere, so the peer is handed to it as one script, which finds pg-boss from its directory. */
async function peerCommand(): Promise<string[]> {
  const built = await Bun.build({ entrypoints: [part("pg-boss.ts")], target: "node", external: ["pg-boss"] });
  const installed = join(root, "node_modules/.bin/node");
  const node = process.env["BENCH_NODE"] ?? (existsSync(installed) ? installed : "node");
  return [node, "--input-type=module", "--eval", (await built.outputs[0]?.text()) ?? ""];
}

/** One side's process: it answers each line with a line. */
class Child {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  private readonly lines: AsyncIterator<string>;

  constructor(command: string[], cwd: string, url: string) {
    const env = { ...process.env, NODE_ENV: "production", BENCH_DATABASE_URL: url };
    this.child = Bun.spawn(command, { cwd, env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.lines = linesOf(this.child.stdout);
  }

  async runtime(): Promise<string> {
    const { runtime }: { runtime: string } = JSON.parse(await this.line());
    return runtime;
  }

  async measure(scenario: Scenario): Promise<Measured> {
    void this.child.stdin.write(`${JSON.stringify(scenario)}\n`);
    await this.child.stdin.flush();
    return JSON.parse(await this.line());
  }

  async end(): Promise<void> {
    await this.child.stdin.end();
    await this.child.exited;
  }

  private async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error("one side of the comparison ended");
    return value;
  }
}

/** The figures as lines for people. */
export function printJobs({ runtimes, rows }: JobFigures): string {
  const side = ({ perSecond, p50, p99 }: Measured) =>
    `${perSecond.toFixed(0).padStart(7)}/s  p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms`;
  const lines = rows.map(
    ({ name, ours, peer, ratio }) =>
      `${name}\n  zpack   ${side(ours)}\n  pg-boss ${side(peer)}\n  ratio   ${ratio.toFixed(2)}`,
  );
  return [`durable jobs: zpack on ${runtimes.ours}, pg-boss on ${runtimes.peer}`, ...lines].join("\n");
}

if (import.meta.main) {
  const peerRoot = process.env["BENCH_PEER_ROOT"];
  const figures = await benchJobs({
    rounds: Number(process.argv[2] ?? 7),
    ...(peerRoot ? { peerRoot } : {}),
  });
  process.stdout.write(`${printJobs(figures)}\n`);
}
