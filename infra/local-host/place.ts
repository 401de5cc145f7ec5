import { lstat, mkdir, realpath, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { folderOf, writeOrigin } from "./origin.ts";
import { isErrno } from "./problem.ts";

/** Where the host keeps things. All paths are real ones, without symbolic links. */
export type Place = {
  /** The host's own, closed to agents. */
  records: string;
  logs: string;
  /** One directory per container: the only one that its agent may write. */
  containers: string;
  /** Read by every agent. */
  agents: string;
  packages: string;
  /** Whether agents run as users of their own. */
  isolated: boolean;
};

type Options = { home: string; sharedRoot: string; packages?: string | undefined };

/**
 * Makes the host's folders. Under root, agents run as users of their own, and a HOME below a closed folder (0700)
 * is out of their reach: then everything that they need lives below `sharedRoot`, linked from HOME/data.
 */
export async function preparePlace(o: Options): Promise<Place> {
  const isolated = process.getuid?.() === 0;
  await mkdir(o.home, { recursive: true, mode: 0o711 });
  const home = await realpath(o.home);
  const records = await closed(join(home, "containers"));
  const logs = await closed(join(home, "logs"));
  const data = await prepareData(home, o.sharedRoot, isolated);
  return {
    records,
    logs,
    containers: await open(join(data, "containers")),
    agents: await open(join(data, "agents")),
    packages: await preparePackages(o.packages, join(data, "packages"), isolated),
    isolated,
  };
}

async function prepareData(home: string, sharedRoot: string, isolated: boolean): Promise<string> {
  const data = join(home, "data");
  if (!isolated || (!(await isLink(data)) && (await isReachable(home)))) return open(data);
  const target = await open(join(sharedRoot, folderOf(home)));
  if (!(await isReachable(target))) throw new Error(`other users cannot reach ${target}`);
  await link(data, target);
  await writeOrigin(target, home);
  return target;
}

/** The folder that was asked for; under root, when agents cannot reach it, `fallback`, linked from there. */
async function preparePackages(
  wanted: string | undefined,
  fallback: string,
  isolated: boolean,
): Promise<string> {
  if (!wanted) return open(fallback);
  await mkdir(dirname(wanted), { recursive: true });
  const linked = await isLink(wanted);
  if (!isolated || (!linked && (await isReachable(dirname(wanted))))) return open(wanted);
  const target = await open(fallback);
  if (!linked) await link(wanted, target);
  return target;
}

async function link(path: string, target: string): Promise<void> {
  if ((await realpath(path).catch(() => undefined)) === target) return;
  try {
    await symlink(target, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new Error(`${path} is in the way: other users cannot reach it, and it is no link to ${target}`, {
      cause: error,
    });
  }
}

/** Whether every user may walk to `path`: each folder on the way lets others pass. */
export async function isReachable(path: string): Promise<boolean> {
  for (let at = await realpath(path); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() ?? false;
}

const closed = (path: string) => directory(path, 0o700);
const open = (path: string) => directory(path, 0o755);

async function directory(path: string, mode: number): Promise<string> {
  await mkdir(path, { recursive: true, mode });
  return realpath(path);
}
