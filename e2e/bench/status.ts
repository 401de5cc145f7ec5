import { readdirSync, readFileSync } from "node:fs";
import { api } from "#e2e/client.ts";
import { type RunningStack, startStack, until } from "#e2e/stack.ts";
import { load, median, needWrk, type Round } from "./load.ts";
import { memoryMiB } from "./memory.ts";
import { peersWith } from "./peer.ts";

export type StatusFigures = {
  targets: { name: string; perSecond: number; p50: number; p99: number; ratio: number }[];
  memory: { name: string; mib: number }[];
};

/**
 * `GET /api/servers/:id/status` through the whole stack (token checked, over the bus, observations warm) beside the same
 * route of an Express process, with the row from Postgres and from memory. Rounds alternate, so that what else the
 * machine does falls on all alike; figures are medians over the rounds, `ratio` is ours over theirs.
 */
export async function benchStatus(o: {
  rounds: number;
  seconds: number;
  connections: number;
}): Promise<StatusFigures> {
  needWrk();
  // The stack is started with the Bun that runs this.
  process.env["ZPACK_BUN"] ??= process.execPath;
  const stack = await startStack({ env: { LOG_LEVEL: "warn" } });
  try {
    const { token, body } = await readyServer(stack.url);
    await using peers = await peersWith(body);
    const [pg, memory] = [await peers.start("pg"), await peers.start("memory")];
    const path = "/api/servers/5000/status";
    const targets = [
      { name: "zpack", url: stack.url + path, token },
      { name: "Express, row with pg", url: pg.url + path, token: peers.token },
      { name: "Express, row in memory", url: memory.url + path, token: peers.token },
    ];
    const measured = targets.map((): Round[] => []);
    for (let round = 0; round <= o.rounds; round++)
      for (const [i, target] of targets.entries()) {
        const figures = await load({ ...target, connections: o.connections, seconds: o.seconds });
        if (figures.failed > 0) throw new Error(`${target.name}: ${figures.failed} requests failed`);
        // The first round warms up.
        if (round > 0) measured[i]?.push(figures);
      }
    const ours = median(measured[0]?.map((r) => r.perSecond) ?? []);
    return {
      targets: targets.map(({ name }, i) => {
        const rounds = measured[i] ?? [];
        const perSecond = median(rounds.map((r) => r.perSecond));
        const [p50, p99] = [median(rounds.map((r) => r.p50)), median(rounds.map((r) => r.p99))];
        return { name, perSecond, p50, p99, ratio: ours / perSecond };
      }),
      memory: [
        ...memoryOf(stack),
        { name: "Express, row with pg", mib: memoryMiB(pg.pid) },
        { name: "Express, row in memory", mib: memoryMiB(memory.pid) },
      ],
    };
  } finally {
    await stack.stop();
  }
}

/** A customer with a game server that is up, and the body that its status route answers. */
async function readyServer(url: string): Promise<{ token: string; body: Record<string, unknown> }> {
  const opened = await api(url).send<{ token: string }>("POST", "/api/auth/register", {
    email: "bench@example.org",
    username: "bench",
    password: "correct horse battery",
  });
  const { token } = opened.body;
  const customer = api(url, token);
  const order = { ctype: "game", game: "minecraft", version: "1.16.5", memoryMiB: 512, name: "bench" };
  await customer.send("POST", "/api/servers", order);
  let body: Record<string, unknown> = {};
  const isReady = async () => {
    body = (await customer.get("/api/servers/5000/status")).body;
    return body["connectable"] === true && body["operation"] === null;
  };
  await until(isReady, 60_000, "the server to be ready");
  return { token, body };
}

/** Every process that the launcher started, by the name of its entry; the local host and its agents too. */
function memoryOf(stack: RunningStack): { name: string; mib: number }[] {
  const entries = /(gateway|services\/[\w-]+|local-host)\/main\.ts|nats-server|postgres(?= -D)/;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const name = entries.exec(command)?.[0].replace("/main.ts", "").replace("services/", "");
        if (!name || Number(parent) !== stack.launcherPid) return [];
        return [{ name, mib: memoryMiB(Number(pid)) }];
      } catch {
        return [];
      }
    })
    .toSorted((a, b) => a.name.localeCompare(b.name));
}
