import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "#shared/process/clock.ts";
import { readProcess } from "#shared/process/proc.ts";
import { wrap } from "#shared/telemetry/log.ts";
import {
  agentToken,
  ask,
  hostToken,
  isRoot,
  refusal,
  setMode,
  tell,
  type TestHost,
  testHomes,
  uidOf,
  until,
} from "./testing/harness.ts";

const homes = testHomes();
afterAll(() => homes.remove());
const lines: string[] = [];
const log = wrap((level, fields, message) => lines.push(JSON.stringify([level, fields, message])), {});

let home: string;
let host: TestHost;
beforeAll(async () => {
  home = homes.newHome();
  const env = { LOCAL_HOST_START_TIMEOUT_MS: "1000" };
  host = await homes.host(home, { log, env });
});
afterAll(() => host.stop());

let vmid = 5000;
beforeEach(() => {
  vmid++;
});
afterEach(async () => {
  if (!(await host.client.find(vmid))) return;
  await host.client.stop(vmid, { timeoutMs: 0 });
  await host.client.remove(vmid);
});

const directory = () => join(home, "data/containers", String(vmid));
const isGone = (pid: number) => readProcess(pid) === undefined;

function noContainer(): never {
  throw new Error("there is no such container");
}

describe("create", () => {
  test("stores what it was given and answers 201's container, stopped", async () => {
    const description = "zpack:one:\u00e9\n:op ";
    const made = await host.client.create({ vmid, hostname: "a.b-c", description, memoryMiB: 512 });
    expect(made).toMatchObject({ vmid, hostname: "a.b-c", description, memoryMiB: 512, tags: [] });
    expect(made).toMatchObject({ status: "stopped", node: "local", ip: "127.0.0.1" });
    expect(new Set([made.agentPort, made.gamePort, made.idePort]).size).toBe(3);
    expect(await host.client.find(vmid)).toEqual(made);
    expect(await host.client.list()).toContainEqual(made);
  });

  test("gives the container a directory that only its own user may enter", async () => {
    await host.client.make(vmid);
    const { mode, uid } = statSync(directory());
    expect({ mode: mode & 0o777, uid }).toEqual({ mode: 0o700, uid: uidOf(vmid) ?? -1 });
  });

  test("of the same vmid twice at once makes one container and one container.exists", async () => {
    const settled = await Promise.allSettled([host.client.make(vmid), host.client.make(vmid)]);
    expect(settled.map((s) => s.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const refused = settled.find((s) => s.status === "rejected");
    expect(refused?.reason).toMatchObject({ kind: "answered", status: 409, code: "container.exists" });
  });

  test("of many at once gives no port twice", async () => {
    const vmids = Array.from({ length: 12 }, (_, i) => vmid + 1000 + i);
    const made = await Promise.all(vmids.map((each) => host.client.make(each)));
    const ports = made.flatMap((c) => [c.agentPort, c.gamePort, c.idePort]);
    expect(new Set(ports).size).toBe(36);
    await Promise.all(vmids.map((each) => host.client.remove(each)));
  });
});

describe("update", () => {
  test("changes only the members that it names", async () => {
    const made = await host.client.make(vmid);
    const tags = ["zpack", "zpack-op-1"];
    expect(await host.client.update(vmid, { tags })).toEqual({ ...made, tags });
    expect(await host.client.update(vmid, { memoryMiB: 1024 })).toEqual({ ...made, tags, memoryMiB: 1024 });
    expect(await host.client.update(vmid, {})).toEqual({ ...made, tags, memoryMiB: 1024 });
  });

  test("keeps the agent's token in a 0600 file and out of answers, arguments and logs", async () => {
    const running = await host.client.run(vmid);
    const record = join(home, "containers", `${vmid}.json`);
    expect(statSync(record).mode & 0o777).toBe(0o600);
    expect(readFileSync(record, "utf8")).toContain(agentToken);
    expect(JSON.stringify(await host.client.list())).not.toContain(agentToken);
    const { pid } = await ask(running, "/self");
    expect(readProcess(pid)?.command.join(" ")).not.toContain(agentToken);
    expect(lines.join("\n")).not.toContain(agentToken);
    expect(lines.join("\n")).not.toContain(hostToken);
  });
});

describe("start", () => {
  test("answers when the agent is healthy, and again when it runs already", async () => {
    const running = await host.client.run(vmid);
    expect(running.status).toBe("running");
    const { pid } = await ask(running, "/self");
    expect(await host.client.start(vmid)).toEqual(running);
    expect((await ask(running, "/self")).pid).toBe(pid);
  });

  test("twice at once starts one agent", async () => {
    await host.client.make(vmid);
    const [one, two] = await Promise.all([host.client.start(vmid), host.client.start(vmid)]);
    expect(one).toEqual(two);
  });

  test("gives the agent its own user and nothing of the host's environment", async () => {
    const self = await ask(await host.client.run(vmid), "/self");
    expect(self.uid).toBe(uidOf(vmid) ?? -1);
    const given = ["BIND", "GAME_PORT", "PACKAGE_STORE", "PORT", "PORT_HELD", "ROOT"];
    const agents = given.map((name) => `AGENT_${name}`);
    expect(Object.keys(self.env).toSorted()).toEqual([...agents, "HOME", "LANG", "PATH"]);
    expect(self.env["AGENT_ROOT"]).toBe(directory());
  });

  test("without an agent token is container.token_missing", async () => {
    await host.client.create({ vmid, hostname: "x", description: "", memoryMiB: 64 });
    expect(await refusal(host.client.start(vmid))).toMatchObject({
      status: 409,
      code: "container.token_missing",
    });
  });

  test("of an agent that ends at once is 502 agent.ended and leaves it stopped", async () => {
    await host.client.make(vmid);
    setMode(home, vmid, "ends");
    expect(await refusal(host.client.start(vmid))).toMatchObject({ status: 502, code: "agent.ended" });
    expect((await host.client.find(vmid))?.status).toBe("stopped");
  });

  test("of an agent that is never healthy is 504 agent.start_timeout and can be stopped meanwhile", async () => {
    await host.client.make(vmid);
    setMode(home, vmid, "sick");
    expect(await refusal(host.client.start(vmid))).toMatchObject({
      status: 504,
      code: "agent.start_timeout",
    });
    expect((await host.client.find(vmid))?.status).toBe("running");
    const again = host.client.start(vmid).catch((error: unknown) => error);
    expect((await host.client.stop(vmid)).status).toBe("stopped");
    expect(await again).toMatchObject({ status: 502, code: "agent.ended" });
  });

  test("takes another port for the game when a stranger has the container's, and keeps it", async () => {
    const made = await host.client.make(vmid);
    const stranger = Bun.serve({
      hostname: "127.0.0.1",
      port: made.gamePort,
      fetch: () => new Response("no"),
    });
    const running = await host.client.start(vmid);
    await stranger.stop(true);
    expect(running.gamePort).not.toBe(made.gamePort);
    expect(running.agentPort).toBe(made.agentPort);
    await host.client.stop(vmid);
    expect((await host.client.start(vmid)).gamePort).toBe(running.gamePort);
  });

  test("of a running container that dies meanwhile reports it and leaves it to be restarted", async () => {
    await host.client.make(vmid);
    setMode(home, vmid, "sick");
    await refusal(host.client.start(vmid));
    const joined = refusal(host.client.start(vmid));
    rmSync(join(directory(), "mode"));
    await tell((await host.client.find(vmid)) ?? noContainer(), "/die").catch(() => undefined);
    expect(await joined).toMatchObject({ status: 502, code: "agent.ended" });
    expect((await host.client.start(vmid)).status).toBe("running");
  });

  test("of a container whose directory was removed is container.storage_missing", async () => {
    await host.client.make(vmid);
    rmSync(directory(), { recursive: true });
    expect(await refusal(host.client.start(vmid))).toMatchObject({
      status: 500,
      code: "container.storage_missing",
    });
  });
});

describe("stop", () => {
  test("answers when the agent is gone, and is no error when it is", async () => {
    const { pid } = await ask(await host.client.run(vmid), "/self");
    expect((await host.client.stop(vmid)).status).toBe("stopped");
    expect(isGone(pid)).toBe(true);
    expect((await host.client.stop(vmid)).status).toBe("stopped");
  });

  test("kills an agent that does not end within timeoutMs", async () => {
    await host.client.make(vmid);
    setMode(home, vmid, "stubborn");
    const { pid } = await ask(await host.client.start(vmid), "/self");
    const before = systemClock.now();
    await host.client.stop(vmid, { timeoutMs: 200 });
    expect(systemClock.now() - before).toBeGreaterThanOrEqual(200);
    expect(isGone(pid)).toBe(true);
  });

  test("takes along what the agent left running", async () => {
    const running = await host.client.run(vmid);
    const game = await ask(running, "/game");
    expect(isGone(game.pid)).toBe(false);
    await host.client.stop(vmid);
    expect(isGone(game.pid)).toBe(true);
  });
});

describe("an agent that dies by itself", () => {
  test("is started again, without the processes that it left", async () => {
    const running = await host.client.run(vmid);
    const { pid } = await ask(running, "/self");
    const game = await ask(running, "/game");
    await tell(running, "/die").catch(() => undefined);
    const next = await until(() => ask(running, "/self").catch(() => undefined));
    expect(next.pid).not.toBe(pid);
    expect(isGone(game.pid)).toBe(true);
    expect((await host.client.find(vmid))?.status).toBe("running");
  });
});

describe("remove", () => {
  test("of a running container is 409 container.running and touches nothing", async () => {
    const running = await host.client.run(vmid);
    expect(await refusal(host.client.remove(vmid))).toMatchObject({ status: 409, code: "container.running" });
    expect(await host.client.find(vmid)).toEqual(running);
  });

  test("takes the directory and the record; the vmid can be used again and shows nothing of before", async () => {
    const first = await host.client.run(vmid);
    await host.client.stop(vmid);
    setMode(home, vmid, "ends");
    await host.client.remove(vmid);
    expect(await host.client.find(vmid)).toBeUndefined();
    expect(existsSync(directory())).toBe(false);
    expect(readdirSync(join(home, "logs")).filter((name) => name.startsWith(`${vmid}.`))).toEqual([]);
    expect(existsSync(join(home, "containers", `${vmid}.json`))).toBe(false);
    const second = await host.client.make(vmid);
    expect(readdirSync(directory())).toEqual([]);
    expect(statSync(directory())).toMatchObject({
      uid: uidOf(vmid),
      gid: isRoot ? uidOf(vmid) : process.getgid?.(),
    });
    await host.client.update(vmid, { agentToken: "the-token-of-the-next-container" });
    const running = await host.client.start(vmid);
    expect((await tell(running, "/self")).status).toBe(401);
    expect(Date.parse(second.createdAt)).toBeGreaterThanOrEqual(Date.parse(first.createdAt));
  });

  test("of an unknown vmid is 404 container.not_found, as is every other verb", async () => {
    const missing = { kind: "answered", status: 404, code: "container.not_found" };
    for (const call of [
      () => host.client.remove(vmid),
      () => host.client.start(vmid),
      () => host.client.stop(vmid),
      () => host.client.update(vmid, {}),
    ])
      expect(await refusal(call())).toMatchObject(missing);
  });
});
