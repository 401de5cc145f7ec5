import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Runs under Node: nothing here may touch Bun.

const root = join(import.meta.dirname, "..");

export type Credentials = { url: string; email: string; password: string };
export type RunningStack = {
  url: string;
  home: string;
  credentials: Credentials;
  /** What the launcher printed so far. */
  output(): string;
  /** Milliseconds from the launcher's start to the gateway's first answer. */
  startedInMs: number;
  launcherPid: number;
  /** Pid of a process of the stack, by the end of its command line (`services/billing/main.ts`). */
  pidOf(entry: string): number;
  /** Stops everything in order, as Ctrl-C would; the home stays for a next start unless `forget`. */
  stop(forget?: boolean): Promise<void>;
};

/** The real stack, on free ports, with a home of its own. `env` adds settings. */
export async function startStack(
  o: { home?: string; port?: number; env?: Record<string, string> } = {},
): Promise<RunningStack> {
  const home = o.home ?? mkdtempSync(join(tmpdir(), "zpack-e2e-"));
  // Servers run as users of their own where the stack runs as root: they must be able to walk through.
  chmodSync(home, 0o711);
  const port = o.port ?? (await freePort());
  const bun = process.env["ZPACK_BUN"] ?? "bun";
  const began = performance.now();
  const launcher = spawn(bun, ["--no-env-file", "infra/dev/up.ts"], {
    cwd: root,
    env: {
      ...process.env,
      LOCAL_HOST_PACKAGES: packages,
      ...crowd,
      ...o.env,
      ZPACK_HOME: home,
      ZPACK_PORT: String(port),
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: a signal to the test runner must not reach it by itself.
    detached: true,
  });
  let output = "";
  launcher.stdout.on("data", (chunk) => (output += String(chunk)));
  launcher.stderr.on("data", (chunk) => (output += String(chunk)));
  const url = `http://localhost:${port}`;
  await until(async () => {
    if (launcher.exitCode !== null) throw new Error(`the stack did not start:\n${output}`);
    return (await fetch(`${url}/api/health`).catch(() => undefined))?.status === 200;
  }, 60_000).catch((error: unknown) => {
    launcher.kill("SIGTERM");
    throw new Error(`${String(error)}\n${output}`);
  });
  return {
    url,
    home,
    credentials: JSON.parse(readFileSync(join(home, "credentials.json"), "utf8")) as Credentials,
    output: () => output,
    startedInMs: performance.now() - began,
    launcherPid: launcher.pid as number,
    pidOf: (entry) =>
      processes().find((p) => p.command.endsWith(entry) && p.parent === launcher.pid)?.pid ?? 0,
    async stop(forget = o.home === undefined) {
      await ended(launcher);
      if (forget) rmSync(home, { recursive: true, force: true });
    },
  };
}

// All customers of all tests come from one address.
const crowd = {
  LIMIT_REGISTER_PER_ADDRESS: "1000/60",
  LIMIT_REGISTER_PER_ACCOUNT: "1001/60",
  LIMIT_LOGIN_PER_ADDRESS: "1000/60",
  LIMIT_LOGIN_PER_ACCOUNT: "1001/60",
  LIMIT_RECOVER_PER_ADDRESS: "1000/60",
  LIMIT_RECOVER_PER_ACCOUNT: "1001/60",
  LIMIT_REFRESH_PER_ADDRESS: "1000/60",
};

// The packages of the embedded game are large: all stacks of one run, and of the next one, share them. Not below the
// checkout, which servers with users of their own may not be able to walk through.
const packages = join(tmpdir(), `zpack-e2e-packages-${process.getuid?.() ?? 0}`);

async function ended(launcher: ChildProcess): Promise<void> {
  if (launcher.exitCode !== null || launcher.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => launcher.once("exit", () => resolve()));
  launcher.kill("SIGINT");
  await exit;
}

/** Polls until `check` is true; rejects with what it was waiting for. */
export async function until(
  check: () => Promise<boolean> | boolean,
  timeoutMs: number,
  what = "the condition",
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export type Process = { pid: number; parent: number; command: string };

/** Every process of this machine that can be read. */
export function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return fields[0] === "Z" ? [] : [{ pid: Number(name), parent: Number(fields[1]), command }];
      } catch {
        return [];
      }
    });
}
