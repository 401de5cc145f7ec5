import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProcess } from "#shared/process/proc.ts";
import { findNatsServer } from "./install.ts";
import { running, startNats, stopNats } from "./server.ts";

const binary = findNatsServer() ?? "nats-server";
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "zpack-nats-server-"));
});
afterEach(async () => {
  await stopNats(dir);
  rmSync(dir, { recursive: true });
});

/** What the server says first on its client port. */
async function greeting(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: { data: (_, bytes) => resolve(bytes.toString()) },
  });
  const text = await promise;
  socket.end();
  return text;
}

test("a server is on a free port of the loopback address only, with JetStream", async () => {
  const server = await startNats({ binary, dir });
  expect(server).toMatchObject({ adopted: false, url: `nats://127.0.0.1:${server.port}` });
  const info = await greeting(server.port);
  expect(info).toContain('"host":"127.0.0.1"');
  expect(info).toContain('"jetstream":true');
});

test("a second start adopts the server that runs", async () => {
  const first = await startNats({ binary, dir });
  expect(await startNats({ binary, dir })).toEqual({ ...first, adopted: true });
});

test("a server that runs with another configuration is replaced", async () => {
  const first = await startNats({ binary, dir });
  const config = 'authorization { users = [ { user: "a", password: "b" } ] }';
  const second = await startNats({ binary, dir, config });
  expect(second.adopted).toBe(false);
  expect(readProcess(first.pid)).toBeUndefined();
  expect(await greeting(second.port)).toContain('"auth_required":true');
});

test("a stale pid file that names a stranger is not trusted", async () => {
  await Bun.write(join(dir, "nats.pid"), String(process.pid));
  expect(running(dir)).toBeUndefined();
  expect((await startNats({ binary, dir })).adopted).toBe(false);
});

test("stopping ends the process; stopping again does nothing", async () => {
  const { pid } = await startNats({ binary, dir });
  await stopNats(dir);
  expect(readProcess(pid)).toBeUndefined();
  await stopNats(dir);
});

test("a configuration that the server refuses is told with the server's own words", async () => {
  const refused: unknown = await startNats({ binary, dir, config: "nonsense_option: {" }).catch(
    (e: unknown) => e,
  );
  expect(String(refused)).toMatch(/log ends:\n.+/);
  expect(running(dir)).toBeUndefined();
});

test("the configuration, which holds passwords, is readable by its owner only", async () => {
  await startNats({ binary, dir });
  expect(statSync(join(dir, "nats.conf")).mode & 0o777).toBe(0o600);
  expect(existsSync(join(dir, "nats.pid"))).toBe(true);
  expect(readdirSync(dir).filter((name) => name.endsWith(".ports"))).toHaveLength(1);
});
