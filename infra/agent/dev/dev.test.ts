import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentConfigInput } from "#shared/agent/contract.ts";
import { agentForTest, gameConfig, temporaryRoot } from "../testing/agent.ts";
import { rejectionOf } from "../testing/rejection.ts";
import { until } from "../testing/until.ts";
import { findRuntimes } from "./runtimes.ts";

type Dev = Extract<AgentConfigInput, { container_type: "dev" }>;
const devConfig = (more: Partial<Dev> = {}): Dev => ({
  vmid: 6001,
  container_type: "dev",
  runtime: "bun",
  memory_mb: 512,
  ...more,
});

/** A configured dev container that is ready. */
async function devForTest(more: Partial<Dev> = {}, options = {}) {
  const agent = agentForTest(options);
  expect(await agent.client.config(devConfig(more))).toMatchObject({ ok: true, state: "installing" });
  await agent.state("running");
  return agent;
}

/** Types a line into the container's shell, and gives back what it has written to `file` of the workspace. */
async function shell(agent: ReturnType<typeof agentForTest>, line: string, file: string) {
  const path = join(agent.root, "workspace", file);
  await agent.client.command(`${line} > ${file}.part 2>&1; mv ${file}.part ${file}`);
  return await until(file, () => existsSync(path) && { text: readFileSync(path, "utf8").trim() });
}

describe("a configured dev container", () => {
  test("has a workspace and its runtime, is ready and runs", async () => {
    await using agent = await devForTest();
    expect(await agent.client.ready()).toEqual({ ready: true, reason: "ok" });
    expect(await agent.client.status()).toMatchObject({
      state: "running",
      container_type: "dev",
      configured: true,
      installed: true,
      operation: null,
      error: null,
      code_server: null,
    });
    writeFileSync(join(agent.root, "workspace", "hello.ts"), "process.stdout.write(`hello ${Bun.version}`)");
    expect(await shell(agent, "bun hello.ts", "said")).toEqual({ text: `hello ${Bun.version}` });
    expect(await shell(agent, "pwd", "where")).toEqual({ text: join(agent.root, "workspace") });
  });

  test("is ready again by itself after a restart of its agent, with every file", async () => {
    using place = temporaryRoot();
    const file = join(place.root, "workspace", "kept.txt");
    {
      await using first = await devForTest({}, { root: place.root });
      writeFileSync(file, "mine");
      expect(await first.client.ready()).toMatchObject({ ready: true });
    }
    await using second = agentForTest({ root: place.root });
    expect(await second.client.ready()).toEqual({ ready: true, reason: "ok" });
    expect(await second.client.status()).toMatchObject({ state: "running", installed: true });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(await second.client.config(devConfig())).toMatchObject({ state: "running", operation: null });
  });

  test("sets its runtime up again where it is gone, or is that of an agent of before", async () => {
    using place = temporaryRoot();
    const commands = join(place.root, "runtime", "bin");
    await (await devForTest({}, { root: place.root }))[Symbol.asyncDispose]();
    for (const spoil of [
      () => rmSync(commands, { recursive: true }),
      () => writeFileSync(join(commands, "bun"), "#!/bin/sh\nexec /gone/agent\n"),
    ]) {
      spoil();
      await using agent = agentForTest({ root: place.root });
      await agent.state("running");
      expect(await agent.client.ready()).toMatchObject({ ready: true });
      expect(readFileSync(join(commands, "bun"), "utf8")).toContain(process.execPath);
    }
  });

  test("is not ready without its workspace or its runtime, and says which", async () => {
    await using agent = await devForTest();
    rmSync(join(agent.root, "runtime"), { recursive: true });
    expect(await agent.client.ready()).toEqual({ ready: false, reason: "runtime_missing" });
    rmSync(join(agent.root, "workspace"), { recursive: true });
    expect(await agent.client.ready()).toEqual({ ready: false, reason: "workspace_missing" });
  });

  test("takes another runtime, and stays what it is", async () => {
    await using agent = await devForTest();
    writeFileSync(join(agent.root, "workspace", "kept.txt"), "mine");
    expect(await agent.client.config(devConfig({ runtime: "node" }))).toMatchObject({ state: "installing" });
    await agent.state("running");
    expect(await agent.client.ready()).toMatchObject({ ready: true });
    expect(await shell(agent, "node -e 'process.stdout.write(\"from node\")'", "said")).toEqual({
      text: "from node",
    });
    expect(readFileSync(join(agent.root, "workspace", "kept.txt"), "utf8")).toBe("mine");
    expect(await rejectionOf(agent.client.config(gameConfig(25_565)))).toMatchObject({
      status: 409,
      body: expect.stringContaining("config.container_type_fixed"),
    });
  });

  test("cannot be started, stopped or restarted, nor asked for players: 409 with a sentence", async () => {
    await using agent = await devForTest();
    for (const call of [agent.client.start, agent.client.stop, agent.client.restart])
      expect(await rejectionOf(call())).toMatchObject({
        status: 409,
        sentence: "A dev container runs as long as its host does; start or stop the host instead.",
      });
    expect(await rejectionOf(agent.client.players())).toMatchObject({
      status: 409,
      sentence: "A dev container has no players.",
    });
  });

  test("that was to have an IDE works without, and says so", async () => {
    await using agent = await devForTest({ enable_code_server: true });
    expect(await agent.client.ready()).toEqual({ ready: true, reason: "ok_without_code_server" });
    expect((await agent.client.status()).code_server).toEqual({
      available: false,
      reason: expect.stringContaining("no code-server"),
    });
  });
});

test.each([
  ["cobol", { runtime: "cobol" }],
  ["a Bun of another version", { runtime: "bun", version: "0.0.1" }],
])("%s, which is not there, is 422, with what there is", async (_name, wanted) => {
  await using agent = agentForTest();
  const offered = (await findRuntimes()).map(({ id, version }) => `${id} ${version}`).join(", ");
  expect(await rejectionOf(agent.client.config(devConfig(wanted)))).toMatchObject({
    status: 422,
    sentence: expect.stringContaining(`it runs ${offered}.`),
  });
});

describe("the runtimes that are offered", () => {
  test("are Bun and, in its place, Node.js where the machine has nothing", async () => {
    const found = await findRuntimes([]);
    expect(found.map(({ id, version }) => [id, version])).toEqual([
      ["bun", Bun.version],
      ["node", process.versions.node],
    ]);
    expect(found[1]?.name).toContain("by Bun");
  });

  test("are what the machine has, where it runs and says its version", async () => {
    using place = temporaryRoot();
    const program = (name: string, script: string, mode = 0o755) => {
      writeFileSync(join(place.root, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(place.root, name), mode);
    };
    program("node", "echo v22.1.0");
    program("python3", "exit 1");
    const ids = async () => (await findRuntimes([place.root])).map(({ id, version }) => `${id} ${version}`);
    expect(await ids()).toEqual([`bun ${Bun.version}`, "node 22.1.0"]);
    program("node", "echo v22.1.0", 0o700);
    program("python3", "echo Python 3.11.2");
    expect(await ids()).toEqual([`bun ${Bun.version}`, `node ${process.versions.node}`, "python3 3.11.2"]);
  });
});
