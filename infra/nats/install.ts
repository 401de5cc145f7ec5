// Where nats-server comes from: this machine, else its package manager, else the distribution's package unpacked beside the
// pinned Bun, which needs no rights at all.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder for tools that this checkout brought for itself. */
export const toolsFolder = resolve(import.meta.dir, "../../.zpack-tools");

/** The executable, where there is one. An ordinary user's PATH lacks the folders in which Debian puts servers. */
export function findNatsServer(tools = toolsFolder, path = process.env["PATH"] ?? ""): string | undefined {
  const folders = [path, "/usr/local/sbin", "/usr/sbin", "/sbin", join(tools, "nats-server/usr/sbin")];
  return Bun.which("nats-server", { PATH: folders.join(":") }) ?? undefined;
}

/** The executable, brought if need be; `say` is told before anything that takes long. Rejects with what to do instead. */
export async function ensureNatsServer(say: (line: string) => void): Promise<string> {
  const present = findNatsServer();
  if (present) return present;
  if (!Bun.which("apt-get"))
    throw new Error(`nats-server is not on PATH, and there is no apt-get. ${advice}`);
  const attempts = process.getuid?.() === 0 ? [installWithApt, unpackWithApt] : [unpackWithApt];
  const failures: string[] = [];
  for (const attempt of attempts) {
    try {
      await attempt(say, toolsFolder);
      const found = findNatsServer();
      if (found) return found;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`nats-server could not be brought. ${advice}\n${failures.join("\n")}`);
}

const advice = "Install the package nats-server, or set NATS_URL to a server that runs elsewhere.";

async function installWithApt(say: (line: string) => void): Promise<void> {
  say("Installing nats-server with apt-get ...");
  const install = [
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=120",
    "install",
    "-y",
    "--no-install-recommends",
    "nats-server",
  ];
  // The package lists of a fresh container are empty; those of a fresh machine may be old.
  await run(install).catch(async () => {
    await run(["apt-get", "-o", "DPkg::Lock::Timeout=120", "update"]);
    await run(install);
  });
}

/** Downloads the package with lists of our own, so that it works where the system's lists are missing or unreadable. */
export async function unpackWithApt(say: (line: string) => void, tools: string): Promise<void> {
  say("Downloading nats-server ...");
  mkdirSync(tools, { recursive: true });
  const work = mkdtempSync(join(tools, "nats-server.new-"));
  try {
    for (const folder of ["lists/partial", "cache/archives/partial", "download"])
      mkdirSync(join(work, folder), { recursive: true });
    const own = [
      "-o",
      `Dir::State::lists=${work}/lists`,
      "-o",
      `Dir::Cache=${work}/cache`,
      "-o",
      "Debug::NoLocking=1",
      "-o",
      "APT::Sandbox::User=",
    ];
    await run(["apt-get", ...own, "update"]);
    await run(["apt-get", ...own, "download", "nats-server"], join(work, "download"));
    const [archive] = readdirSync(join(work, "download"));
    if (!archive) throw new Error("apt-get download brought no package");
    await run(["dpkg-deb", "-x", join(work, "download", archive), join(work, "root")]);
    // Another start may have been quicker; its copy is as good as ours.
    rmSync(join(tools, "nats-server"), { recursive: true, force: true });
    renameSync(join(work, "root"), join(tools, "nats-server"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function run(command: string[], cwd = "/"): Promise<void> {
  const { PATH, HOME, http_proxy, https_proxy } = process.env;
  const child = Bun.spawn(command, {
    cwd,
    env: { PATH, HOME, http_proxy, https_proxy, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const errors = await child.stderr.text();
  if ((await child.exited) !== 0)
    throw new Error(`${command.join(" ")} failed: ${errors.trim().slice(-1000)}`);
}
