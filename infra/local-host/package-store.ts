import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { syncDirectory } from "./files.ts";
import { hostEnvironment } from "./tool-environment.ts";

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()) });

type Options = {
  /** A folder with package.json (one pinned dependency) and bun.lock. */
  source: string;
  /** The package store. */
  store: string;
  /** Whether agents run as other users, who cannot write what is ours. */
  isolated: boolean;
  clock: Clock;
  log: Logger;
  /** Milliseconds between tries while the registry cannot be reached; the last one repeats. */
  retryMs: readonly number[];
};

export type PackageStore = {
  state(): "installing" | "ready" | "failed";
  /** Resolves when the package is there. */
  ready: Promise<void>;
  stop(): Promise<void>;
};

/**
 * Brings one package into the store in the background, so that agents link it and need not each install it.
 * Markers in STORE/NAME@VERSION, for the agents: `.installing` while this runs, `.complete` at the end; a folder
 * with `.complete` never changes again.
 */
export function startPackageStore(o: Options): PackageStore {
  let state: ReturnType<PackageStore["state"]> = "installing";
  const ended = new AbortController();
  const ready = Promise.withResolvers<void>();
  async function run(): Promise<void> {
    for (let tries = 0; !ended.signal.aborted; tries++) {
      try {
        await install(o, ended.signal);
        state = "ready";
        return ready.resolve();
      } catch (error) {
        if (ended.signal.aborted) return;
        state = "failed";
        o.log.warn({ err: error }, "the package store could not be filled; it will be tried again");
        await o.clock.sleep(o.retryMs[Math.min(tries, o.retryMs.length - 1)] ?? 60_000, ended.signal);
      }
    }
  }
  const running = run();
  return {
    state: () => state,
    ready: ready.promise,
    stop: async () => {
      ended.abort();
      await running;
    },
  };
}

async function install(o: Options, signal: AbortSignal): Promise<void> {
  const manifest = Manifest.parse(JSON.parse(await readFile(join(o.source, "package.json"), "utf8")));
  const target = join(
    o.store,
    Object.entries(manifest.dependencies).map((entry) => entry.join("@"))[0] ?? "",
  );
  if (existsSync(join(target, ".complete"))) return;

  const work = join(target, ".work.tmp");
  await mkdir(target, { recursive: true, mode: 0o755 });
  await writeFile(join(target, ".installing"), "");
  try {
    for (const rest of [work, join(target, "node_modules")]) await rm(rest, { recursive: true, force: true });
    await mkdir(work, { mode: 0o755 });
    for (const name of ["package.json", "bun.lock"]) await copyFile(join(o.source, name), join(work, name));
    await bunInstall(work, o.isolated, signal);
    await rename(join(work, "node_modules"), join(target, "node_modules"));
    await syncDirectory(target);
    await writeFile(join(target, ".complete"), "");
  } finally {
    // Agents that wait must not wait for an installation that has failed.
    await rm(join(target, ".installing"), { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

async function bunInstall(cwd: string, isolated: boolean, signal: AbortSignal): Promise<void> {
  // Hard links into Bun's cache are quick and small, but an agent that is the same user could then write there.
  const backend = isolated ? "hardlink" : "copyfile";
  const flags = ["--frozen-lockfile", "--ignore-scripts", "--no-progress", `--backend=${backend}`];
  const child = Bun.spawn([process.execPath, "install", ...flags], {
    cwd,
    env: hostEnvironment(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    signal,
    killSignal: "SIGKILL",
  });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`bun install ended with ${code}: ${stderr.slice(-2000)}`);
}
