import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { agentClient } from "#shared/agent/client.ts";
import { listProcesses, readProcess } from "#shared/process/proc.ts";
import { type Daemon, startDaemon } from "./testing/daemon.ts";
import { agentToken, isRoot, testHomes, uidOf, until } from "./testing/harness.ts";
import { ContainerRecord } from "./record.ts";
import type { Container } from "./schema.ts";

// The real agent, as the host delivers it, and a customer's shell beside it. As root the two are different users; as an
// ordinary user they are not: then the kernel closes the agent to its like, but a signal, and the host's own files, which
// belong to that user, stay within reach.

const vmid = 6001;
const homes = testHomes();
const home = homes.newHome();
const directory = join(home, "data/containers", String(vmid));
const workspace = join(directory, "workspace");
const recordFile = join(home, "containers", `${vmid}.json`);
let host: Daemon;
let container: Container;

const start = async () => {
  const env = { LOCAL_HOST_AGENT_ENTRY: join(import.meta.dir, "../agent/main.ts") };
  return await startDaemon(await homes.settings(home, env));
};

beforeAll(async () => {
  host = await start();
  container = await host.client.run(vmid);
  await agent().config({ vmid, container_type: "dev", runtime: "bun", memory_mb: 512 });
  await until(async () => (await agent().ready()).ready);
}, 60_000);
afterAll(async () => {
  await host.end("SIGTERM");
  await homes.remove();
});

const agent = () => agentClient({ address: `http://127.0.0.1:${container.agentPort}`, token: agentToken });
const agentPid = () => ContainerRecord.parse(JSON.parse(readFileSync(recordFile, "utf8"))).process?.pid ?? 0;

/** Types a line into the customer's shell; resolves with its output when it is done. */
async function shell(line: string): Promise<string> {
  const output = join(workspace, `output-${crypto.randomUUID()}`);
  await agent().command(`${line} > ${output}.part 2>&1; mv ${output}.part ${output}`);
  await until(() => existsSync(output));
  return readFileSync(output, "utf8");
}

/** Nothing where it is closed: to the same user, and to a root without the right to trace. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

const Found = z.object({
  inherited: z.array(z.string()),
  share: z.string(),
  answers: z.array(z.number()),
  heard: z.string(),
  environ: z.string(),
  memory: z.string(),
  maps: z.string(),
  descriptors: z.string(),
  trace: z.string(),
  signal: z.string(),
  record: z.string(),
  becomeAgent: z.string(),
});

test("a workload cannot look into its agent, and its agent's answer to it is 401", async () => {
  writeFileSync(
    join(workspace, "intruder.ts"),
    readFileSync(join(import.meta.dir, "testing/intruder.ts"), "utf8"),
  );
  const said = await shell(`bun intruder.ts ${agentPid()} ${container.agentPort} ${recordFile}`);
  const { heard, ...found } = Found.parse(JSON.parse(said));
  const withinReach = isRoot ? "closed" : "open";
  expect(found).toEqual({
    inherited: [],
    environ: "closed",
    memory: "closed",
    maps: "closed",
    descriptors: "closed",
    trace: "closed",
    becomeAgent: "closed",
    signal: withinReach,
    share: withinReach,
    record: withinReach,
    answers: [401, 401, 401],
  });
  expect(heard).not.toContain(agentToken);
  expect(heard).toContain(directory);
});

test("no file of the container holds the token, nor does the agent's environment", async () => {
  await until(async () => (await agent().status()).state === "running");
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) =>
    join(directory, name),
  );
  const texts = files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, "latin1"));
  expect(texts.length).toBeGreaterThan(2);
  expect(texts.some((text) => text.includes(agentToken))).toBe(false);
  const { pid, command } = readProcess(agentPid()) ?? { pid: 0, command: [] };
  expect(command.join(" ")).not.toContain(agentToken);
  expect(environmentOf(pid)).not.toContain(agentToken);
});

test("what a customer writes is his, and what he may do is all that his programs may do", async () => {
  const status = await shell("grep -E 'Uid|NoNewPrivs|CapBnd' /proc/self/status");
  const uid = uidOf(vmid) ?? -1;
  expect(status).toContain(`Uid:\t${[uid, uid, uid, uid].join("\t")}`);
  if (isRoot) expect(status).toMatch(/NoNewPrivs:\t1(.|\n)*CapBnd:\t0+$|CapBnd:\t0+\n(.|\n)*NoNewPrivs:\t1/m);
  expect(statSync(join(workspace, "..")).uid).toBe(uid);
});

test("an agent that nobody may look into outlives its host, is adopted by the next one and ends in order", async () => {
  const before = agentPid();
  await host.end("SIGKILL");
  host = await start();
  expect(await host.client.start(vmid)).toEqual(container);
  expect(agentPid()).toBe(before);
  expect(await agent().ready()).toMatchObject({ ready: true });
  await host.client.stop(vmid);
  expect(readProcess(before)).toBeUndefined();
  container = await host.client.start(vmid);
  expect(await agent().ready()).toMatchObject({ ready: true });
});

test("a file in the container's directory does not change what its agent runs", async () => {
  const evil = join(directory, "evil.ts");
  writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(join(directory, "ran"))}, "");`);
  for (const folder of [directory, workspace])
    for (const name of ["bunfig.toml", ".bunfig.toml"])
      writeFileSync(join(folder, name), `preload = ["${evil}"]\n`);
  for (const folder of [directory, workspace])
    writeFileSync(join(folder, ".env"), `BUN_OPTIONS=--preload=${evil}\nAGENT_PORT=1\n`);
  await host.client.stop(vmid);
  container = await host.client.start(vmid);
  expect(await agent().ready()).toMatchObject({ ready: true });
  expect(existsSync(join(directory, "ran"))).toBe(false);
});

test("a process that hides from its container's end is found all the same", async () => {
  await shell("cd /; env -i setsid --fork /bin/sleep 54321; cd");
  const hidden = await until(() =>
    listProcesses().find(({ command }) => command.join(" ") === "/bin/sleep 54321"),
  );
  await host.client.stop(vmid);
  const { pid, startedAt } = hidden;
  // A process of the same user that sheds all that we gave it looks like that user's own.
  if (isRoot) expect(readProcess(pid)?.startedAt).not.toBe(startedAt);
  else process.kill(pid, "SIGKILL");
  container = await host.client.start(vmid);
});
