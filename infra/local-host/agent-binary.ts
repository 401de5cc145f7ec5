import { createHash, randomBytes } from "node:crypto";
import { chmod, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "./problem.ts";
import { hostEnvironment } from "./tool-environment.ts";

type Options = { entry: string; directory: string; signal: AbortSignal };

/**
 * The agent as one executable file, built once per content and Bun version. Concurrent callers share one build;
 * a failed one is tried again by the next caller. Errors: `agent.build_failed`.
 */
export function agentBinary(o: Options): () => Promise<string> {
  let building: Promise<string> | undefined;
  return () => {
    building ??= build(o).catch((cause: unknown) => {
      building = undefined;
      throw new HostError("agent.build_failed", "the agent's executable could not be built", { cause });
    });
    return building;
  };
}

/** Removes binaries (about 100 MB each) that are not in `used`, and what killed builds left. */
export async function removeOldBinaries(directory: string, used: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!used.has(path)) await rm(path, { recursive: true, force: true });
  }
}

/** Where an executable is started must not decide what it runs: a bunfig.toml there could preload anything. */
const closed = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];

async function build({ entry, directory, signal }: Options): Promise<string> {
  const bundle = await Bun.build({ entrypoints: [entry], target: "bun", throw: true });
  const hash = createHash("sha256").update(`${Bun.revision} ${process.arch} ${closed.join(" ")}`);
  for (const output of bundle.outputs)
    hash.update(`\0${output.kind}\0`).update(new Uint8Array(await output.arrayBuffer()));
  const binary = join(directory, `agent-${hash.digest("hex").slice(0, 16)}`);
  if (await stat(binary).catch(() => undefined)) return binary;

  const temp = `${binary}.${randomBytes(6).toString("hex")}.tmp`;
  const child = Bun.spawn([process.execPath, "build", "--compile", ...closed, entry, "--outfile", temp], {
    cwd: directory,
    env: hostEnvironment(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    signal,
    killSignal: "SIGKILL",
  });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) {
    await rm(temp, { force: true });
    throw new Error(`bun build ended with ${code}: ${stderr.slice(-2000)}`);
  }
  await chmod(temp, 0o755);
  await rename(temp, binary);
  return binary;
}
