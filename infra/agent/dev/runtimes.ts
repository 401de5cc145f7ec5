import { join } from "node:path";
import { isProgram } from "../files.ts";
import { asWorkload } from "../guard.ts";

/** Where programs of the machine are looked for: what every user may run, no one's own folders. */
export const systemPath = ["/usr/local/bin", "/usr/bin", "/bin"];

/** A runtime that a dev container on this machine can have. */
export type Runtime = {
  id: string;
  name: string;
  version: string;
  /** The machine's program; null: the agent's own executable, which is Bun. */
  program: string | null;
  /** Commands that the agent's own executable is to answer to, each with its first arguments. */
  commands: Readonly<Record<string, readonly string[]>>;
};

/** Runtimes of the machine, and what each says of its version: `v20.1.2`, `Python 3.11.2`. */
const machine = [
  { id: "node", name: "Node.js" },
  { id: "python3", name: "Python" },
];

const bun: Runtime = {
  id: "bun",
  name: "Bun",
  version: Bun.version,
  program: null,
  commands: { bun: [], bunx: ["x"] },
};

/** Stands in for a Node.js that the machine does not have; its name says so. */
const nodeByBun: Runtime = {
  id: "node",
  name: `Node.js (compatible, by Bun ${Bun.version})`,
  version: process.versions.node,
  program: null,
  commands: { ...bun.commands, node: [] },
};

/** What can be offered here, in a fixed order: Bun always, everything else as it is found in `path`. */
export async function findRuntimes(path: readonly string[] = systemPath): Promise<Runtime[]> {
  const found = await Promise.all(machine.map(({ id, name }) => onMachine(id, name, path)));
  const others = found.filter((runtime) => runtime !== undefined);
  const compatible = others.some(({ id }) => id === "node") ? [] : [nodeByBun];
  return [bun, ...compatible, ...others];
}

async function onMachine(id: string, name: string, path: readonly string[]): Promise<Runtime | undefined> {
  const program = path.map((folder) => join(folder, id)).find(isProgram);
  const version = program && (await versionOf(program));
  return program && version ? { id, name, version, program, commands: {} } : undefined;
}

/** What `--version` names; undefined when the program does not run, or does not say. */
async function versionOf(program: string): Promise<string | undefined> {
  const child = Bun.spawn(asWorkload([program, "--version"]), {
    cwd: "/",
    env: { PATH: systemPath.join(":"), HOME: "/nonexistent" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: 10_000,
    killSignal: "SIGKILL",
  });
  const [said, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return code === 0 ? /\d+\.\d+\.\d+/.exec(said)?.[0] : undefined;
}
