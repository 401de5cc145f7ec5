import { mkdirSync } from "node:fs";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#shared/process/clock.ts";
import type { ConsoleHub } from "../console/hub.ts";
import { asWorkload } from "../guard.ts";
import { isThere } from "../files.ts";

export type InstallOptions = {
  /** `name@version` */
  package: string;
  /** Where `node_modules` is to be. */
  runtime: string;
  /** The agent's own folder, for what the installation leaves behind. */
  scratch: string;
  /** Shared packages: `<store>/<package>/node_modules`, complete once `.complete` is beside it. */
  store?: string | undefined;
  console: ConsoleHub;
  clock: Clock;
  signal: AbortSignal;
  step(sentence: string): void;
  /** The agent's own environment. */
  environment?: Record<string, string | undefined>;
  /** Bound of the wait for a store that is being filled. */
  storeWaitMs?: number;
};

/** Variables of the agent's own environment that decide where packages come from. */
const inherited = [
  "HOME",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "BUN_CONFIG_REGISTRY",
  "NPM_CONFIG_REGISTRY",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
];

/**
 * Makes the package usable in `runtime`: linked from the store where it has it or is about to, otherwise fetched
 * from the registry in place. May be repeated. Rejects with a sentence for the customer.
 */
export async function installPackage(options: InstallOptions): Promise<void> {
  mkdirSync(options.runtime, { recursive: true });
  const modules = join(options.runtime, "node_modules");
  await rm(modules, { recursive: true, force: true });
  const stored = options.store === undefined ? undefined : join(options.store, options.package);
  if (stored !== undefined && (await storeHas(stored, options))) {
    options.step(`Linking ${options.package}`);
    await symlink(join(stored, "node_modules"), modules);
    return;
  }
  options.signal.throwIfAborted();
  options.step(`Fetching ${options.package}`);
  await fetchPackage(options, modules);
}

/** Whether the store has the package, after a bounded wait for one that is being put there. */
async function storeHas(stored: string, options: InstallOptions): Promise<boolean> {
  const { clock, signal } = options;
  const until = clock.now() + (options.storeWaitMs ?? 120_000);
  while (!isThere(join(stored, ".complete"))) {
    if (!isThere(join(stored, ".installing")) || clock.now() >= until || signal.aborted) return false;
    options.step(`Waiting for ${options.package}`);
    await clock.sleep(200, signal);
  }
  return true;
}

/** Installs beside the target and renames, so that a half-made node_modules is never mistaken for a whole one. */
async function fetchPackage(options: InstallOptions, modules: string): Promise<void> {
  const fresh = join(options.runtime, ".new");
  const scratch = join(options.scratch, "fetch");
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await mkdir(scratch, { recursive: true });
    await writeFile(join(fresh, "package.json"), '{"private":true}');
    await run(options, fresh, scratch);
    await rename(join(fresh, "node_modules"), modules);
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(scratch, { recursive: true, force: true });
  }
}

async function run(options: InstallOptions, cwd: string, scratch: string): Promise<void> {
  const environment = options.environment ?? process.env;
  const passed = inherited.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const home = environment["HOME"] === undefined ? { HOME: scratch, BUN_INSTALL_CACHE_DIR: scratch } : {};
  const command = [process.execPath, "--no-orphans", "add", "--exact", "--ignore-scripts", options.package];
  const child = Bun.spawn(asWorkload(command), {
    cwd,
    env: { ...Object.fromEntries(passed), ...home, TMPDIR: scratch, BUN_BE_BUN: "1" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    signal: options.signal,
    killSignal: "SIGKILL",
  });
  const said = await new Response(child.stderr).text();
  await child.exited;
  options.signal.throwIfAborted();
  if (child.exitCode === 0) return;
  for (const line of said.trim().split("\n").slice(-20)) options.console.note(line);
  throw new Error(`${options.package} could not be fetched from the package registry.`);
}
