import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { agentClient } from "#shared/agent/client.ts";
import { chooseFreePorts } from "./ports.ts";
import { heldPorts } from "./held-ports.ts";
import type { Container } from "./schema.ts";
import { type Daemon, startDaemon } from "./testing/daemon.ts";
import { agentToken, ask, isRoot, refusal, tell, testHomes, uidOf, until } from "./testing/harness.ts";
import { usersOf } from "./users.ts";

// What sends an agent's token to its port must find the agent there, or nobody.

const homes = testHomes();
afterAll(() => homes.remove());
let home: string;
let host: Daemon;
const started: Daemon[] = [];
const start = async (env: Record<string, string> = {}) => {
  host = await startDaemon(await homes.settings(home, { LOCAL_HOST_RESTART_MS: "3600000", ...env }));
  started.push(host);
};
beforeEach(async () => {
  home = homes.newHome();
  await start();
});
afterEach(async () => {
  for (const each of started.splice(0)) await each.end("SIGTERM");
});

/** Whether a program of `uid` gets the port. */
async function attempt(port: number, uid: number): Promise<string> {
  const squatter = await Bun.file(join(import.meta.dir, "testing/squatter.ts")).text();
  const command = [process.execPath, "-e", squatter, String(port)];
  const user = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const child = Bun.spawn(isRoot ? ["setpriv", ...user, ...command] : command, { cwd: "/", env: {} });
  return await new Response(child.stdout).text();
}

/** As an ordinary user there is one user for all, and what he does on purpose is not kept from him. */
async function expectKept({ vmid, agentPort }: Container): Promise<void> {
  const serve = () => Bun.serve({ hostname: "127.0.0.1", port: agentPort, fetch: () => new Response() });
  expect(serve).toThrow();
  if (!isRoot) return;
  for (const uid of [uidOf(vmid + 1), uidOf(vmid), 0])
    expect(await attempt(agentPort, uid ?? 0)).toBe("closed");
}

const health = ({ agentPort }: Container) =>
  refusal(agentClient({ address: `http://127.0.0.1:${agentPort}`, token: agentToken }).health());

test("the port of an agent that is not there is nobody's, and refuses at once", async () => {
  const container = await host.client.make(5001);
  await expectKept(container);
  expect(await health(container)).toMatchObject({ kind: "refused" });
  await host.client.start(5001);
  await host.client.stop(5001);
  await expectKept(container);
  expect(await health(container)).toMatchObject({ kind: "refused" });
});

test("nor is it anybody's while its agent runs, or has died and is not yet started again", async () => {
  const container = await host.client.run(5001);
  await expectKept(container);
  await tell(container, "/die").catch(() => undefined);
  await until(async () => (await host.client.find(5001))?.status === "stopped");
  await expectKept(container);
  expect(await health(container)).toMatchObject({ kind: "refused" });
  expect(await host.client.start(5001)).toEqual(container);
});

test("a host that was killed finds its containers' ports again, beside agents that live", async () => {
  const [stopped, running] = [await host.client.make(5001), await host.client.run(5002)];
  await host.end("SIGKILL");
  await expectKept(running);
  await start();
  await expectKept(stopped);
  process.kill((await ask(running, "/self")).pid, "SIGKILL");
  await until(async () => (await host.client.find(5002))?.status === "stopped");
  await expectKept(running);
});

test("a container whose port was taken while its host was away gets another, which is kept in turn", async () => {
  const before = await host.client.make(5001);
  await host.end("SIGKILL");
  const stranger = Bun.serve({ hostname: "127.0.0.1", port: before.agentPort, fetch: () => new Response() });
  await start({ LOG_LEVEL: "error" });
  const moved = await host.client.start(5001);
  await stranger.stop(true);
  expect(moved.agentPort).not.toBe(before.agentPort);
  expect((await ask(moved, "/self")).pid).toBeGreaterThan(0);
  await host.client.stop(5001);
  await expectKept(moved);
  await host.end("SIGTERM");
  expect(await host.output()).toContain("a stranger has the port of a container's agent");
});

test("an agent that shares its port with nobody is adopted, not called a stranger, and its port is kept after it", async () => {
  const container = await host.client.run(5001);
  const { pid } = await ask(container, "/self");
  await host.end("SIGKILL");
  await tell(container, "/unshare");
  await start({ LOG_LEVEL: "warn" });
  expect(await host.client.find(5001)).toEqual(container);
  expect((await ask(container, "/self")).pid).toBe(pid);
  await host.client.stop(5001);
  expect(await host.client.start(5001)).toEqual(container);
  await expectKept(container);
  await host.end("SIGTERM");
  const output = await host.output();
  expect(output).toContain("an agent keeps its port to itself while it lives");
  expect(output).not.toContain("a stranger has the port");
});

test("the port of a removed container is free again", async () => {
  const { agentPort } = await host.client.make(5001);
  await host.client.remove(5001);
  expect(await attempt(agentPort, uidOf(5002) ?? 0)).toBe("open");
});

test("connections that end on a port, of an agent that did not share it, do not keep it from its container", async () => {
  const [port = 0] = await chooseFreePorts(1, { from: 20_000, to: 31_999 }, new Set());
  await leaveEndOn(port);
  const ports = heldPorts();
  const agent = isRoot ? usersOf(205_001, "/srv/5001").agent : undefined;
  expect(ports.hold(1, port, agent)).toBe(true);
  if (isRoot)
    expect([await attempt(port, uidOf(5001) ?? 0), await attempt(port, agent ?? 0)]).toEqual([
      "closed",
      "open",
    ]);
  ports.releaseAll();
});

/** Serves one connection on `port` and is the first to end it: the kernel remembers its end there for a minute. */
async function leaveEndOn(port: number): Promise<void> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen({ port, host: "127.0.0.1" }, resolve));
  const client = connect({ port, host: "127.0.0.1" }).resume();
  await new Promise((resolve) => client.once("close", resolve));
  await new Promise((resolve) => server.close(resolve));
}

test("a port is held once for a container, its new one in place of the old, until it is released", async () => {
  const [one = 0, two = 0] = await chooseFreePorts(2, { from: 20_000, to: 31_999 }, new Set());
  const user = isRoot ? usersOf(205_001, "/srv/5001").agent : undefined;
  const ports = heldPorts();
  const isHeld = async (port: number) => (await attempt(port, uidOf(5001) ?? 0)) === "closed";
  expect([ports.hold(1, one, user), ports.hold(1, one, user), ports.hold(1, two, user)]).toEqual([
    true,
    true,
    true,
  ]);
  if (isRoot) expect([await isHeld(one), await isHeld(two)]).toEqual([false, true]);
  ports.releaseAll();
  expect(await isHeld(two)).toBe(false);
});
