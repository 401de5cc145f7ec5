import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { link, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Clock, systemClock } from "#shared/process/clock.ts";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { agentBinary } from "../agent-binary.ts";
import { localHost } from "../client.ts";
import { readConfig } from "../config.ts";
import { killProcesses, type Territory } from "../container-processes.ts";
import { type Host, startHost } from "../host.ts";
import type { Container } from "../schema.ts";
import { usersOf } from "../users.ts";

export const hostToken = "the-token-of-the-local-host";
export const agentToken = "the-token-of-the-agent-itself";
export const isRoot = process.getuid?.() === 0;
const uidBase = 200_000;
export const uidOf = (vmid: number) => (isRoot ? uidBase + vmid : process.getuid?.());

/** What the container `vmid` of `home` has, and what tells its processes. */
export function territoryFor(home: string, vmid: number): Territory {
  const directory = join(realpathSync(home), "data/containers", String(vmid));
  const users = isRoot ? usersOf(uidBase + vmid, directory) : undefined;
  return { directory, users, agents: join(realpathSync(home), "data/agents") };
}

/** Resolves when `condition` gives something; fails after 10 s. */
export async function until<T>(condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const end = Date.now() + 10_000; ;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error("the condition did not come true within 10 s");
    await systemClock.sleep(5);
  }
}

/** What a promise rejects with; fails when it does not. */
export function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error("it was not refused")),
    (error: unknown) => error,
  );
}

/** One file's worth of homes: they share the stand-in agent's executable, which takes a second to build. */
export function testHomes() {
  const base = mkdtempSync(join(tmpdir(), "local-host-"));
  chmodSync(base, 0o755);
  const shared = join(base, "agents");
  mkdirSync(shared);
  const homes: string[] = [];
  // Every home has it from the beginning, so that no test but the store's own installs anything.
  const packageSource = join(base, "package");
  mkdirSync(packageSource);
  writeFileSync(join(packageSource, "package.json"), '{"dependencies":{"tiny":"1.0.0"}}');
  const entry = join(import.meta.dir, "stand-in-agent.ts");
  const binary = agentBinary({ entry, directory: shared, signal: new AbortController().signal });

  /** The settings of a home, as environment; `env` overrides them. */
  async function settings(home: string, env: Record<string, string> = {}): Promise<Record<string, string>> {
    const built = await binary();
    for (const name of ["data/agents", "data/packages/tiny@1.0.0"])
      mkdirSync(join(home, name), { recursive: true });
    writeFileSync(join(home, "data/packages/tiny@1.0.0/.complete"), "");
    await link(built, join(home, "data/agents", built.slice(shared.length + 1))).catch(() => undefined);
    return {
      LOCAL_HOST_HOME: home,
      LOCAL_HOST_TOKEN: hostToken,
      LOCAL_HOST_UID_BASE: String(uidBase),
      LOCAL_HOST_AGENT_ENTRY: entry,
      LOCAL_HOST_PACKAGE_SOURCE: packageSource,
      LOCAL_HOST_SHARED_ROOT: join(base, "shared"),
      LOCAL_HOST_STOP_TIMEOUT_MS: "3000",
      LOCAL_HOST_RESTART_MS: "10",
      LOCAL_HOST_WATCH_MS: "10",
      LOG_LEVEL: "silent",
      ...env,
    };
  }

  return {
    base,
    newHome(): string {
      const home = join(base, `home-${homes.length}`);
      mkdirSync(home);
      homes.push(home);
      return home;
    },
    settings,
    /** A host in this process. */
    async host(home: string, o: { env?: Record<string, string>; clock?: Clock; log?: Logger } = {}) {
      const config = readConfig(await settings(home, o.env));
      const host = await startHost(config, {
        clock: o.clock ?? systemClock,
        log: o.log ?? silentLogger,
      });
      return { ...host, client: client(host.url) };
    },
    /** Kills what a failed test may have left, and removes every home. */
    async remove(): Promise<void> {
      for (const home of homes) {
        const containers = join(home, "data/containers");
        for (const name of await readdir(containers).catch(() => []))
          await killProcesses(territoryFor(home, Number(name)), systemClock);
      }
      rmSync(base, { recursive: true, force: true });
    },
  };
}

export type TestHost = Host & { client: ReturnType<typeof client> };

/** The client, and two shorthands. */
export function client(url: string) {
  const host = localHost({ url, token: hostToken });
  return {
    ...host,
    /** A container with a token, stopped. */
    async make(vmid: number): Promise<Container> {
      await host.create({ vmid, hostname: `test-${vmid}`, description: `of ${vmid}`, memoryMiB: 256 });
      return host.update(vmid, { agentToken });
    },
    async run(vmid: number): Promise<Container> {
      await this.make(vmid);
      return host.start(vmid);
    },
  };
}

const Self = z.object({
  pid: z.number(),
  uid: z.number(),
  real: z.number(),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
});

/** Asks the stand-in agent of a container: about itself, or to start a game (whose pid it answers). */
export async function ask(container: Container, path: "/self"): Promise<z.infer<typeof Self>>;
export async function ask(container: Container, path: "/game"): Promise<{ pid: number }>;
export async function ask(container: Container, path: "/self" | "/game"): Promise<{ pid: number }> {
  const response = await tell(container, path);
  return (path === "/self" ? Self : Self.pick({ pid: true })).parse(await response.json());
}

export function tell(container: Container, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${container.agentPort}${path}`, {
    headers: { authorization: `Bearer ${agentToken}`, connection: "close" },
  });
}

/** Makes the stand-in agent of a container misbehave from its next start on. */
export function setMode(home: string, vmid: number, mode: "ends" | "sick" | "stubborn"): void {
  writeFileSync(join(home, "data/containers", String(vmid), "mode"), mode);
}
