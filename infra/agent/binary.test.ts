import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { agentClient } from "#shared/agent/client.ts";
import { listProcesses, readProcess } from "#shared/process/proc.ts";
import { freePort, gameConfig, temporaryRoot, testToken } from "./testing/agent.ts";
import { savedChunk } from "./testing/minecraft.ts";
import { packageStore } from "./testing/packages.ts";
import { until } from "./testing/until.ts";

// The agent as it is delivered: one binary, an empty environment, and under root as a user that may write to
// its directory and to nothing else, with a real user of its own.

const user = 230_001;
const asRoot = process.getuid?.() === 0;
const store = await packageStore();
const place = temporaryRoot();
const binary = join(place.root, "agent");
const root = join(place.root, "container");

const closed = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];

beforeAll(() => {
  const main = join(import.meta.dir, "main.ts");
  const built = Bun.spawnSync(
    [process.execPath, "build", "--compile", ...closed, main, "--outfile", binary],
    {
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  if (built.exitCode !== 0) throw new Error(built.stderr.toString());
  chmodSync(place.root, 0o755);
  mkdirSync(root, { mode: 0o700 });
  if (asRoot) chownSync(root, user, user);
}, 60_000);
afterAll(() => place[Symbol.dispose]());

async function launch() {
  const port = await freePort();
  const other = ["setpriv", `--ruid=${user + 1}`, `--euid=${user}`, `--regid=${user}`, "--clear-groups"];
  const child = Bun.spawn([...(asRoot ? other : []), binary], {
    cwd: "/",
    env: {
      AGENT_PORT: String(port),
      AGENT_ROOT: root,
      AGENT_PACKAGE_STORE: store,
    },
    stdin: new Blob([testToken]),
    stdout: "pipe",
    stderr: "inherit",
  });
  const client = agentClient({ address: `http://127.0.0.1:${port}`, token: testToken });
  await until("the agent", () =>
    client.health().then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const state = (wanted: string) => until(wanted, async () => (await client.status()).state === wanted);
  const game = () =>
    listProcesses().find((p) => p.parent === child.pid && p.command.join(" ").includes("launcher.mjs"));
  return { child, client, state, game };
}

test("the single binary runs a game, takes it along when it is killed, and stops it in order on SIGTERM", async () => {
  const port = await freePort();
  const first = await launch();
  expect(await first.client.config(gameConfig(port, { auto_start: true }))).toMatchObject({ ok: true });
  await first.state("running");
  const game = await until("the game's process", first.game);
  expect([...game.command, ...(readProcess(first.child.pid)?.command ?? [])].join(" ")).not.toContain(
    testToken,
  );

  first.child.kill("SIGKILL");
  await first.child.exited;
  await until("the game gone with its agent", () => readProcess(game.pid)?.startedAt !== game.startedAt);

  const second = await launch();
  expect(await second.client.status()).toMatchObject({ state: "idle", installed: true, meant_to_run: true });
  expect(await second.client.start()).toMatchObject({ state: "starting" });
  await second.state("running");
  expect(await second.client.ready()).toMatchObject({ ready: true });
  await second.client.command("setblock 5 10 5 gold_block");
  const again = await until("the game's process", second.game);
  second.child.kill("SIGTERM");
  expect(await second.child.exited).toBe(0);
  expect(readProcess(again.pid)?.startedAt).not.toBe(again.startedAt);
  expect(savedChunk(join(root, "server", "world"))).toContain("minecraft:gold_block");
  expect(await new Response(second.child.stdout).text()).not.toContain(testToken);
}, 60_000);
