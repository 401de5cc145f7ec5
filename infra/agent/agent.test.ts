import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listProcesses } from "#shared/process/proc.ts";
import { startAgent } from "./agent.ts";
import { parseProperties, withProperties } from "./game/properties.ts";
import { pingMinecraft } from "./game/ping.ts";
import { agentForTest, freePort, gameConfig, temporaryRoot, testToken } from "./testing/agent.ts";
import { joinGame, savedChunk } from "./testing/minecraft.ts";
import { packageStore } from "./testing/packages.ts";
import { admissionOf } from "./token.ts";
import { rejectionOf } from "./testing/rejection.ts";
import { until } from "./testing/until.ts";

// The journeys with the real game. They share nothing but the package store.

const store = await packageStore();
const agentWithStore = (more = {}) => agentForTest({ packageStore: store, ...more });

/** The game's process, a child of ours, known by the directory it belongs to. */
const gameProcess = (root: string) =>
  listProcesses().find(
    (p) => p.parent === process.pid && p.command.includes(join(root, "runtime", "launcher.mjs")),
  );

test("a configured game installs, starts, admits a player, and keeps its world over a stop", async () => {
  await using t = agentWithStore();
  const port = await freePort();
  expect(await t.client.config(gameConfig(port))).toMatchObject({ ok: true, state: "installing" });
  await t.state("idle");
  expect(await t.client.status()).toMatchObject({ installed: true, install_step: null, operation: null });

  // Many starts at once: one begins, every other one is told what is in progress.
  const starts = await Promise.allSettled(Array.from({ length: 8 }, () => t.client.start()));
  const refused = starts.flatMap((start): unknown[] => (start.status === "rejected" ? [start.reason] : []));
  expect(refused).toHaveLength(7);
  for (const error of refused) {
    expect(error).toMatchObject({ status: 409, body: expect.stringContaining('"type":"start"') });
  }
  await t.state("running");
  expect(await t.client.start()).toMatchObject({ state: "running" });
  expect(await t.client.ready()).toMatchObject({ ready: true, reason: "ok" });

  const leave = await joinGame({ port, version: "1.16.5", username: "visitor" });
  const players = await until("the player in the list", async () => {
    const answer = await t.client.players();
    return answer.online === 1 ? answer : undefined;
  });
  expect(players).toMatchObject({ max: 20, players: [{ name: "visitor" }] });

  // A block that is set right before the stop is the hard case: nothing of the game has written it yet.
  await t.client.command("/setblock 5 10 5 diamond_block");
  expect(await t.client.stop()).toMatchObject({ operation: { type: "stop" } });
  await t.state("idle");
  await leave();
  expect(savedChunk(join(t.root, "server", "world"))).toContain("minecraft:diamond_block");
  expect(await t.client.status()).toMatchObject({ crash: null, meant_to_run: false, started_at: null });
  expect(await t.client.ready()).toEqual({ ready: false, reason: "idle" });
  expect(await t.client.stop()).toMatchObject({ state: "idle" });
}, 60_000);

test("what the customer and the control plane change holds from the next start", async () => {
  await using t = agentWithStore();
  const [first, second] = [await freePort(), await freePort()];
  await t.client.config(gameConfig(first, { auto_start: true }));
  await t.state("running");
  const file = join(t.root, "server", "server.properties");
  expect(parseProperties(readFileSync(file, "utf8"))).toMatchObject({ "server-port": String(first) });
  await Bun.write(file, withProperties(readFileSync(file, "utf8"), { motd: "Hello", "max-players": "3" }));
  // The same configuration again changes nothing; another one is taken while the game runs on.
  expect(await t.client.config(gameConfig(first))).toMatchObject({ ok: true, state: "running" });
  expect(await t.client.config(gameConfig(second, { memory_mb: 768 }))).toMatchObject({ state: "running" });
  expect(await pingMinecraft("127.0.0.1", first, 1000)).toMatchObject({ max: 20 });

  await t.client.restart();
  await until(
    "the game on its new port",
    async () => (await pingMinecraft("127.0.0.1", second, 1000))?.max === 3,
  );
  await t.state("running");
  expect(await t.client.ready()).toMatchObject({ ready: true, players: { max: 3 } });
  expect(parseProperties(readFileSync(file, "utf8"))).toMatchObject({
    motd: "Hello",
    "server-port": String(second),
  });
}, 60_000);

test("a game that is killed is started again, then given up, and a start tries anew", async () => {
  await using t = agentWithStore({ timing: { crashBackoffMs: [10], crashResetMs: 60_000 } });
  await t.client.config(gameConfig(await freePort(), { auto_start: true }));
  await t.state("running");
  const kill = async () => {
    const { pid } = await until("the game's process", () => gameProcess(t.root));
    process.kill(pid, "SIGKILL");
    return pid;
  };
  const killed = await kill();
  await until("another process", () => (gameProcess(t.root)?.pid ?? killed) !== killed);
  await t.state("running");
  expect((await t.client.status()).crash).toMatchObject({ count: 1, signal: "SIGKILL", exit_code: null });
  await kill();
  await t.state("error");
  expect(await t.client.status()).toMatchObject({
    error: { code: "crash.limit" },
    crash: {
      count: 2,
      class: "unexpected_exit",
      next_start_at: null,
      log_tail: expect.stringContaining("Done!"),
    },
  });
  await t.client.start();
  await t.state("running");
  expect((await t.client.status()).crash).toBeNull();
}, 60_000);

test("a port that is taken is a crash with the game's own words", async () => {
  const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  await using t = agentWithStore({ timing: { crashBackoffMs: [] } });
  await t.client.config(gameConfig(taken.port ?? 0, { auto_start: true }));
  await t.state("error");
  await taken.stop(true);
  const { crash } = await t.client.status();
  expect(crash).toMatchObject({ exit_code: 1, class: "nonzero_exit" });
  expect(crash?.log_tail).toContain("EADDRINUSE");
}, 60_000);

test("a host that lets the game listen elsewhere than configured has the last word", async () => {
  const moved = await freePort();
  await using t = agentWithStore({ gamePort: moved });
  await t.client.config(gameConfig(await freePort(), { auto_start: true }));
  await t.state("running");
  expect(await t.client.ready()).toMatchObject({ ready: true });
  expect(await pingMinecraft("127.0.0.1", moved, 1000)).toMatchObject({ max: 20 });
}, 60_000);

test("typing stop in the console is a stop and no crash", async () => {
  await using t = agentWithStore();
  await t.client.config(gameConfig(await freePort(), { auto_start: true }));
  await t.state("running");
  await t.client.command("stop");
  await t.state("idle");
  expect(await t.client.status()).toMatchObject({ crash: null, meant_to_run: false });
}, 60_000);

test("without a store the package is fetched in place, and an interrupted installation goes on", async () => {
  using place = temporaryRoot();
  const options = { admission: admissionOf(testToken), port: 0, bind: "127.0.0.1", root: place.root };
  const first = startAgent(options);
  const body = JSON.stringify(gameConfig(25_565));
  const headers = { authorization: `Bearer ${testToken}` };
  const answer = await fetch(`http://127.0.0.1:${first.port}/config`, { method: "POST", headers, body });
  expect(answer.status).toBe(202);
  await first.stop();
  const manifest = join(place.root, "runtime", "node_modules", "flying-squid", "package.json");
  expect(existsSync(manifest)).toBe(false);
  await using t = agentForTest({ root: place.root });
  expect(await t.client.status()).toMatchObject({ state: "installing", configured: true });
  expect(await rejectionOf(t.client.start())).toMatchObject({ status: 503 });
  await t.state("idle");
  expect(existsSync(manifest)).toBe(true);
  expect(await t.client.config(gameConfig(25_565))).toMatchObject({ state: "idle", operation: null });
}, 60_000);
