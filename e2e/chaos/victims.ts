import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { processes, type RunningStack, until } from "#e2e/stack.ts";

// What can be hit in a running stack, and how it is seen to be back.

export const services = ["servers", "provisioning", "billing"] as const;
export type Victim = (typeof services)[number] | "gateway" | "local-host" | "nats" | "postgres";

const commandOf = (stack: RunningStack, victim: Victim): ((command: string) => boolean) => {
  if (victim === "nats") return (command) => command.endsWith(join(stack.home, "nats/nats.conf"));
  if (victim === "postgres")
    return (command) => command.includes(` -D ${join(stack.home, "postgres/data")} `);
  const entry = {
    servers: "services/servers/main.ts",
    provisioning: "services/provisioning/main.ts",
    billing: "services/billing/main.ts",
    gateway: "gateway/main.ts",
    "local-host": "infra/local-host/main.ts",
  }[victim];
  return (command) => command.endsWith(`/${entry}`);
};

/** The process itself and, for Postgres, the backends that serve its clients. Empty while it is down. */
export function pidsOf(stack: RunningStack, victim: Victim): number[] {
  const all = processes();
  const matches = commandOf(stack, victim);
  const main = all.find(({ parent, command }) => parent === stack.launcherPid && matches(command));
  if (!main) return [];
  const backends = victim === "postgres" ? all.filter(({ parent }) => parent === main.pid) : [];
  return [main.pid, ...backends.map(({ pid }) => pid)];
}

/** The agent of one server, whoever its parent is by now: it outlives the host that started it. */
export function agentOf(stack: RunningStack, vmid: string): number[] {
  const [first, last] = [join(stack.home, "local-host"), `/containers/${vmid}`];
  return processes()
    .filter(({ command }) => command.startsWith(first) && command.endsWith(last))
    .map(({ pid }) => pid);
}

export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      continue; // it ended while we looked
    }
  }
}

/** Kills a victim as a crash would: Postgres with SIGQUIT, which is what `pg_ctl stop -m immediate` sends. */
export async function kill(stack: RunningStack, victim: Victim): Promise<void> {
  const [main] = pidsOf(stack, victim);
  if (main === undefined) return;
  signal([main], victim === "postgres" ? "SIGQUIT" : "SIGKILL");
  await until(() => !pidsOf(stack, victim).includes(main), 10_000, `${victim} to be dead`);
}

/**
 * Takes a victim away until the answer is called. `silent`: it exists and does not move. `gone`: it is dead, and the
 * launcher, which would start it again at once, is stopped meanwhile.
 */
export async function takeAway(
  stack: RunningStack,
  victim: Victim,
  how: "silent" | "gone",
): Promise<() => Promise<void>> {
  if (how === "silent") {
    const pids = pidsOf(stack, victim);
    signal(pids, "SIGSTOP");
    return async () => signal(pids, "SIGCONT");
  }
  signal([stack.launcherPid], "SIGSTOP");
  await kill(stack, victim);
  return async () => {
    signal([stack.launcherPid], "SIGCONT");
    await until(() => isBack(stack, victim), 20_000, `${victim} to be back`);
  };
}

/** Whether the victim takes calls again, as far as can be told without asking for anything. */
export async function isBack(stack: RunningStack, victim: Victim): Promise<boolean> {
  if (pidsOf(stack, victim).length === 0) return false;
  if (victim === "nats") return await listens(portOfNats(stack));
  if (victim === "postgres") return postmaster(stack)[7]?.trim() === "ready";
  if (victim === "local-host") return await listens(Number(read(stack, "local-host/port")));
  if (victim === "gateway") return await listens(Number(new URL(stack.url).port));
  const health = await fetch(`${stack.url}/api/health`).catch(() => undefined);
  const body = (await health?.json().catch(() => ({}))) as { services?: Record<string, string> } | undefined;
  return body?.services?.[victim] === "up";
}

/** A connection to the stack's database as its administrator. */
export function databaseOf(stack: RunningStack) {
  const { postgres: password } = JSON.parse(read(stack, "secrets.json")) as { postgres: string };
  return {
    host: "127.0.0.1",
    port: Number(postmaster(stack)[3]),
    user: "zpack_admin",
    password,
    database: "zpack",
    max: 1,
    onnotice: () => {},
  };
}

const postmaster = (stack: RunningStack) => read(stack, "postgres/data/postmaster.pid").split("\n");

function portOfNats(stack: RunningStack): number {
  return Number(/nats +(?:started|adopted) on port (\d+)/.exec(stack.output())?.[1]);
}

function read(stack: RunningStack, file: string): string {
  try {
    return readFileSync(join(stack.home, file), "utf8");
  } catch {
    return "";
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
