import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readProcess } from "#shared/process/proc.ts";
import { processesOf } from "./container-processes.ts";
import { ContainerRecord } from "./record.ts";
import { type Daemon, startDaemon } from "./testing/daemon.ts";
import { agentToken, ask, hostToken, refusal, territoryFor, testHomes, until } from "./testing/harness.ts";

const homes = testHomes();
afterAll(() => homes.remove());
const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.end("SIGKILL");
});

async function daemonOf(home: string, env: Record<string, string> = {}): Promise<Daemon> {
  const daemon = await startDaemon(await homes.settings(home, { LOG_LEVEL: "debug", ...env }));
  daemons.push(daemon);
  return daemon;
}

const recordFile = (home: string, vmid: number) => join(home, "containers", `${vmid}.json`);
const numbers = (directory: string) =>
  readdirSync(directory)
    .map((name) => Number.parseInt(name))
    .toSorted((a, b) => a - b);
const readRecord = (home: string, vmid: number) =>
  ContainerRecord.parse(JSON.parse(readFileSync(recordFile(home, vmid), "utf8")));
const agentsOf = (home: string, vmid: number) => processesOf(territoryFor(home, vmid));

describe("after kill -9 of the host", () => {
  test("agents live on, are adopted, and stop as ever", async () => {
    const home = homes.newHome();
    const first = await daemonOf(home);
    const before = await first.client.run(5001);
    const { pid } = await ask(before, "/self");
    await first.end("SIGKILL");
    const second = await daemonOf(home);
    expect(await second.client.find(5001)).toEqual(before);
    expect(await second.client.start(5001)).toEqual(before);
    expect((await ask(before, "/self")).pid).toBe(pid);
    await second.client.stop(5001);
    expect(readProcess(pid)).toBeUndefined();
  });

  test("an adopted agent that dies is started again", async () => {
    const home = homes.newHome();
    const first = await daemonOf(home);
    const before = await first.client.run(5001);
    const { pid } = await ask(before, "/self");
    await first.end("SIGKILL");
    await daemonOf(home);
    process.kill(pid, "SIGKILL");
    expect((await until(() => ask(before, "/self").catch(() => undefined))).pid).not.toBe(pid);
  });

  test("between the start of an agent and the record of it, one agent runs in the end", async () => {
    const home = homes.newHome();
    const first = await daemonOf(home);
    const before = await first.client.run(5001);
    const { pid } = await ask(before, "/self");
    await first.end("SIGKILL");
    const { process: _, ...unfinished } = readRecord(home, 5001);
    writeFileSync(recordFile(home, 5001), JSON.stringify(unfinished));
    const second = await daemonOf(home);
    await second.client.start(5001);
    expect(readProcess(pid)).toBeUndefined();
    expect(agentsOf(home, 5001).map((found) => found.pid)).toEqual([(await ask(before, "/self")).pid]);
  });

  test("in the middle of a stop, the next host finishes it", async () => {
    const home = homes.newHome();
    const first = await daemonOf(home);
    await first.client.run(5001);
    await first.end("SIGKILL");
    writeFileSync(recordFile(home, 5001), JSON.stringify({ ...readRecord(home, 5001), wanted: "stopped" }));
    const second = await daemonOf(home);
    expect((await second.client.find(5001))?.status).toBe("stopped");
    expect(agentsOf(home, 5001)).toEqual([]);
  });

  test("at any moment of many creates and removals, what is listed is whole and every vmid is usable", async () => {
    const home = homes.newHome();
    const vmids = Array.from({ length: 8 }, (_, i) => 5001 + i);
    const storages = () => numbers(join(home, "data/containers"));
    for (let round = 1; round <= 4; round++) {
      const daemon = await daemonOf(home);
      const listed = (await daemon.client.list()).map((container) => container.vmid);
      for (const vmid of listed) expect(storages()).toContain(vmid);
      const work = vmids.map((vmid) =>
        listed.includes(vmid) ? daemon.client.remove(vmid) : daemon.client.make(vmid),
      );
      // Killed once `round` of them are done: the others are somewhere in the middle.
      const done = work.map((each) => each.then(() => true));
      for (let i = 0; i < round; i++) await Promise.any(done.slice(i));
      const ended = Promise.allSettled(work);
      await daemon.end("SIGKILL");
      await ended;
    }
    const last = await daemonOf(home);
    const left = (await last.client.list()).map((container) => container.vmid);
    expect(numbers(join(home, "containers"))).toEqual(left);
    for (const vmid of vmids.filter((each) => !left.includes(each))) await last.client.make(vmid);
    expect((await last.client.list()).map((container) => container.vmid)).toEqual(vmids);
    expect(storages()).toEqual(vmids);
  });
});

test("a removal that was cut short is finished at the next start", async () => {
  const home = homes.newHome();
  const first = await daemonOf(home);
  await first.client.make(5001);
  await first.end("SIGKILL");
  await Bun.write(join(home, "containers", "5001.deleting"), Bun.file(recordFile(home, 5001)));
  await Bun.file(recordFile(home, 5001)).delete();
  const second = await daemonOf(home);
  expect(await second.client.list()).toEqual([]);
  expect(readdirSync(join(home, "containers"))).toEqual([]);
  expect(readdirSync(join(home, "data/containers"))).toEqual([]);
});

describe("SIGTERM", () => {
  test("stops every agent and the host; the next host starts again what ran, and only that", async () => {
    const home = homes.newHome();
    const first = await daemonOf(home);
    const ran = await first.client.run(5001);
    await first.client.run(5002);
    await first.client.stop(5002);
    const { pid } = await ask(ran, "/self");
    expect(await first.end("SIGTERM")).toBe(0);
    expect(readProcess(pid)).toBeUndefined();
    expect(existsSync(join(home, "port"))).toBe(false);

    const second = await daemonOf(home);
    await until(async () => (await second.client.find(5001))?.status === "running");
    expect((await second.client.find(5002))?.status).toBe("stopped");
    expect(await second.client.start(5001)).toEqual(ran);
  });

  test("twice, and Ctrl-C on top, is as good as once", async () => {
    const home = homes.newHome();
    const daemon = await daemonOf(home);
    const { pid } = await ask(await daemon.client.run(5001), "/self");
    process.kill(daemon.pid, "SIGINT");
    process.kill(daemon.pid, "SIGTERM");
    expect(await daemon.end("SIGTERM")).toBe(0);
    expect(readProcess(pid)).toBeUndefined();
  });
});

test("the end of the parent that it was told of stops it in order", async () => {
  const home = homes.newHome();
  const parent = Bun.spawn(["sleep", "60"]);
  const daemon = await daemonOf(home, { LOCAL_HOST_PARENT: String(parent.pid) });
  const { pid } = await ask(await daemon.client.run(5001), "/self");
  parent.kill("SIGKILL");
  await parent.exited;
  await until(() => readProcess(daemon.pid) === undefined);
  expect(readProcess(pid)).toBeUndefined();
  expect(await daemon.output()).toContain("stopped");
});

test("the log holds neither the host's token nor an agent's", async () => {
  const daemon = await daemonOf(homes.newHome());
  await daemon.client.run(5001);
  await daemon.end("SIGTERM");
  const output = await daemon.output();
  expect(output).toContain("agent started");
  expect(output).not.toContain(agentToken);
  expect(output).not.toContain(hostToken);
});

test("a second host of the same home is refused, and the first goes on", async () => {
  const home = homes.newHome();
  const first = await daemonOf(home);
  const settings = await homes.settings(home);
  const second = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
    env: settings,
    stderr: "pipe",
    stdout: "ignore",
  });
  expect(await new Response(second.stderr).text()).toContain("another local host works in");
  expect(await second.exited).toBe(1);
  expect((await first.client.health()).status).toBe("ok");
});

test("a pid that a stranger has now is neither adopted nor killed", async () => {
  const home = homes.newHome();
  const first = await daemonOf(home);
  await first.client.make(5001);
  await first.end("SIGKILL");
  const stranger = Bun.spawn(["sleep", "60"]);
  const startedAt = readProcess(stranger.pid)?.startedAt ?? "";
  const binary = readdirSync(join(home, "data/agents"))[0] ?? "";
  for (const [wanted, seen] of [
    ["stopped", startedAt],
    ["running", startedAt],
    ["running", "1"],
  ] as const) {
    const record: ContainerRecord = {
      ...readRecord(home, 5001),
      wanted,
      process: { pid: stranger.pid, startedAt: seen },
      binary: join(home, "data/agents", binary),
    };
    writeFileSync(recordFile(home, 5001), JSON.stringify(record));
    const daemon = await daemonOf(home);
    if (wanted === "running") expect((await daemon.client.start(5001)).status).toBe("running");
    await daemon.client.stop(5001);
    await daemon.client.remove(5001);
    await daemon.client.make(5001);
    await daemon.end("SIGTERM");
    expect(stranger.exitCode).toBeNull();
  }
  stranger.kill();
  await stranger.exited;
});

test("a record that cannot be read keeps its vmid taken and the others served", async () => {
  const home = homes.newHome();
  const first = await daemonOf(home);
  const whole = await first.client.make(5002);
  await first.end("SIGTERM");
  writeFileSync(recordFile(home, 5001), '{"vmid": 5001');
  const second = await daemonOf(home);
  expect(await second.client.list()).toEqual([whole]);
  expect(await refusal(second.client.make(5001))).toMatchObject({
    status: 409,
    code: "container.unreadable",
  });
  expect(statSync(recordFile(home, 5001)).size).toBeGreaterThan(0);
});
