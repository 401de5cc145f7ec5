import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync, statSync } from "node:fs";
import { startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { readProcess } from "#shared/process/proc.ts";
import { natsForTest } from "#shared/testing/nats.ts";
import { command, environment, homeForTest, type Launched, until } from "./fixtures/launched.ts";

setDefaultTimeout(60_000);

type Home = Awaited<ReturnType<typeof homeForTest>>;

const running = () =>
  home
    .processes()
    .map((found) => found.command.join(" "))
    .toSorted();
const pids = (pattern: RegExp) =>
  home
    .processes()
    .filter((found) => pattern.test(found.command.join(" ")))
    .map(({ pid }) => pid);
const daemons = /postgres -D|nats-server|fixtures\/host\.ts/;

async function stop(launcher: Launched, signal: NodeJS.Signals): Promise<void> {
  process.kill(launcher.pid, signal);
  expect(await launcher.exited).toBe(0);
  expect(running()).toEqual([]);
}

// One home for nearly all tests, so that its database is made once: each test leaves it with nothing running in it.
let home: Home;
let firstOutput = "";
let firstStop = "";
beforeAll(async () => {
  home = await homeForTest();
  const launcher = home.start();
  await launcher.printed(/zpack is ready/);
  firstOutput = launcher.output();
  await stop(launcher, "SIGTERM");
  firstStop = home.read("stopped");
  rmSync(home.path("stopped"));
});
afterAll(async () => await home[Symbol.asyncDispose]());

test("a first start prints where it serves and the login, and writes both and its secrets for the owner only", () => {
  const url = `http://127.0.0.1:${home.port}`;
  const credentials: unknown = JSON.parse(home.read("credentials.json"));
  const password: unknown = expect.stringMatching(/^.{20,}$/);
  expect(credentials).toEqual({ url, email: "operator@zpack.local", password });
  for (const file of ["credentials.json", "secrets.json"])
    expect(statSync(home.path(file)).mode & 0o777).toBe(0o600);
  expect(firstOutput).toContain(`${url}\n`);
  expect(firstOutput).toContain(
    /"password": "(.+)"/.exec(home.read("credentials.json"))?.[1] ?? "no password",
  );
});

test("the gateway is stopped first, then the services, then the local host", () => {
  const stopped = firstStop.trim().split("\n");
  expect(stopped.length).toBe(4);
  expect([stopped[0], stopped.slice(1, 3).toSorted(), stopped[3]]).toEqual([
    "gateway",
    ["first", "second"],
    "local-host",
  ]);
});

describe("a running stack", () => {
  let launcher: Launched;
  let secrets = "";
  beforeAll(async () => {
    secrets = home.read("secrets.json");
    launcher = home.start({ PLANTED_SECRET: "x" });
    await launcher.printed(/zpack is ready/);
  });
  afterAll(async () => {
    await stop(launcher, "SIGTERM");
    rmSync(home.path("stopped"));
  });

  test("uses the secrets of its first start and does not print the password again", () => {
    expect(launcher.output()).not.toContain("Password");
    expect(home.read("secrets.json")).toBe(secrets);
  });

  test("gives a process what the table says and nothing of its own environment", async () => {
    const { env } = await home.gateway();
    expect(env["PLANTED_SECRET"]).toBeUndefined();
    expect(env["NATS_USER"]).toBe("gateway");
    expect(env["DATABASE_URL"]).toContain("svc_gateway");
    expect(env["LOCAL_HOST_URL"]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test("has no secret on any command line", () => {
    const each = [...secrets.matchAll(/: "(.+)"/g)].map(([, secret]) => secret ?? "");
    expect(each.length).toBeGreaterThan(10);
    for (const line of running()) for (const secret of each) expect(line).not.toContain(secret);
  });

  test("shows errors of services at once, the rest in their logs", () => {
    expect(launcher.output()).toContain("first: loud line");
    expect(launcher.output()).not.toContain("quiet line");
    expect(home.read("logs/first.log")).toContain("quiet line");
  });

  test("is left alone by a second launcher, which says so and ends with 1", async () => {
    const before = pids(daemons);
    const second = home.start();
    await second.printed(new RegExp(`is in use by another zpack \\(pid ${launcher.pid}\\)`));
    expect(await second.exited).toBe(1);
    expect(pids(daemons)).toEqual(before);
  });

  test("starts a service again that died, and touches nothing else", async () => {
    const gateway = await home.gateway();
    const victim = pids(/service\.ts$/)[0] ?? 0;
    process.kill(victim, "SIGKILL");
    await launcher.printed(/(first|second) ended \(SIGKILL\); started again in/);
    await until(() => pids(/service\.ts$/).length === 2, "it runs again");
    expect(pids(/service\.ts$/)).not.toContain(victim);
    expect((await home.gateway()).pid).toBe(gateway.pid);
  });

  test.each([
    ["nats", /nats-server/, "nats/nats.conf"],
    ["local-host", /host\.ts$/, "local-host/port"],
    ["postgres", /postgres -D/, "postgres/data/postmaster.pid"],
  ])("starts %s again on the same port when it died", async (name, pattern, file) => {
    const port = (await launcher.printed(new RegExp(`${name} +started on port (\\d+)`)))[1] ?? "";
    const before = pids(pattern)[0] ?? 0;
    process.kill(before, "SIGKILL");
    await launcher.printed(new RegExp(`${name} ended; it is started again`));
    const back = () => ![0, before].includes(pids(pattern)[0] ?? 0) && home.read(file).includes(port);
    await until(back, `${name} is back on ${port}`);
  });
});

describe("from start to end", () => {
  afterEach(async () => {
    await home.endAll();
    rmSync(home.path("stopped"), { force: true });
  });

  test("Ctrl-C arrives twice, from the terminal and from npm, and stops the stack once", async () => {
    const launcher = home.start({ ZPACK_LOGS: "stdout" });
    await launcher.printed(/zpack is ready/);
    await launcher.printed(/first: .*quiet line/); // ZPACK_LOGS=stdout shows every line
    process.kill(-launcher.pid, "SIGINT");
    await stop(launcher, "SIGINT");
    expect(launcher.output().match(/Stopping/g)).toHaveLength(1);
  });

  test("a closed terminal stops the stack in order", async () => {
    const env = { ...environment(), ZPACK_HOME: home.home, ZPACK_PORT: String(home.port) };
    let output = "";
    const child = Bun.spawn(command, {
      env,
      terminal: { data: (_, bytes) => void (output += new TextDecoder().decode(bytes)) },
    });
    await until(() => output.includes("zpack is ready"), `it is ready: ${output}`);
    child.terminal?.close();
    await child.exited;
    expect(running()).toEqual([]);
    expect(home.read("stopped").match(/local-host/g)).toHaveLength(1);
  });

  test("a launcher whose parent was killed stops the stack in order", async () => {
    const env = { ...environment(), ZPACK_HOME: home.home, ZPACK_PORT: String(home.port) };
    const shell = Bun.spawn(["sh", "-c", '"$@"; true', "sh", ...command], {
      env,
      stdout: "pipe",
      detached: true,
    });
    await until(
      () => existsSync(home.path("local-host/port")) && pids(/gateway\.ts$/).length === 1,
      "it runs",
    );
    shell.kill("SIGKILL");
    await until(() => running().length === 0, "all of it has ended");
    expect(home.read("stopped").match(/local-host/g)).toHaveLength(1);
  });

  test("after kill -9 the services are gone, and the next start adopts Postgres, NATS and the local host", async () => {
    const killed = home.start();
    await killed.printed(/zpack is ready/);
    const before = pids(daemons);
    expect(before).toHaveLength(3);
    process.kill(killed.pid, "SIGKILL");
    await until(() => home.processes().length === 3, "only the daemons are left");
    const next = home.start();
    await next.printed(/zpack is ready/);
    expect(next.output().match(/adopted on port/g)).toHaveLength(3);
    expect(pids(daemons)).toEqual(before);
    await stop(next, "SIGHUP");
  });

  test("a signal in the middle of a start stops what was begun", async () => {
    const launcher = home.start({ BEHAVIOUR: "never-ready" });
    await launcher.printed(/first +ready/);
    await stop(launcher, "SIGINT");
  });

  test("a service that cannot start ends the start: it is named, and nothing is left behind", async () => {
    const launcher = home.start({ BEHAVIOUR: "broken" });
    await launcher.printed(/second: the second cannot work/);
    await launcher.printed(/The start failed: second does not start; its log: .*second\.log/);
    expect(await launcher.exited).toBe(1);
    expect(home.read("logs/second.log")).toContain("the second cannot work");
    expect(running()).toEqual([]);
  });

  test.each([
    ["DATABASE_URL", "ECONNREFUSED 127.0.0.1:1); an administrator's connection is needed"],
    ["NATS_URL", "Authorization Violation); its configuration must include /"],
  ])("what %s names and cannot be used is told by that name, with no password", async (setting, sentence) => {
    const launcher = home.start({
      [setting]: "postgres://admin:s3cret@127.0.0.1:1/x",
      BEHAVIOUR: "bus-refuses",
    });
    await launcher.printed(new RegExp(`The start failed: what ${setting} names cannot be used`));
    expect(await launcher.exited).toBe(1);
    expect(launcher.output()).toContain(sentence);
    expect(launcher.output()).not.toContain("s3cret");
    expect(running()).toEqual([]);
  });

  test("two stacks with different homes and ports run side by side", async () => {
    await using other = await homeForTest();
    const launchers = [home.start(), other.start()];
    await Promise.all(launchers.map((launcher) => launcher.printed(/zpack is ready/)));
    expect((await home.gateway()).env["NATS_URL"]).not.toBe((await other.gateway()).env["NATS_URL"]);
  });
});

test("a given Postgres and NATS are used, and neither is started nor stopped", async () => {
  await using nats = await natsForTest();
  await using fresh = await homeForTest();
  const dir = home.path("postgres/data");
  const given = await startPostgres({ dir, password: "" });
  const password = /"postgres": "(.+)"/.exec(home.read("secrets.json"))?.[1];
  const launcher = fresh.start({
    NATS_URL: nats.url,
    DATABASE_URL: `postgres://${superuser}:${password}@127.0.0.1:${given.port}/postgres`,
  });
  await launcher.printed(/zpack is ready/);
  const { env } = await fresh.gateway();
  expect(env["NATS_URL"]).toBe(nats.url);
  expect(env["DATABASE_URL"]).toContain(`127.0.0.1:${given.port}/zpack`);
  expect(fresh.processes().some(({ command: line }) => /postgres|nats-server/.test(line[0] ?? ""))).toBe(
    false,
  );
  // The operator of that server includes this file, or it would not know our users.
  expect(fresh.read("nats-users.conf")).toContain("authorization");
  process.kill(launcher.pid, "SIGTERM");
  expect(await launcher.exited).toBe(0);
  expect(readProcess(given.pid)).toBeDefined();
  expect(readProcess(nats.pid)).toBeDefined();
  await stopPostgres(dir);
});

test("a taken port is told before anything is started", async () => {
  await using fresh = await homeForTest();
  const squatter = Bun.serve({ port: fresh.port, hostname: "127.0.0.1", fetch: () => new Response("mine") });
  const launcher = fresh.start();
  await launcher.printed(new RegExp(`Port ${fresh.port} of 127.0.0.1 is taken .* Set ZPACK_PORT`));
  expect(await launcher.exited).toBe(1);
  expect(existsSync(fresh.path("secrets.json"))).toBe(false);
  expect(fresh.processes()).toEqual([]);
  await squatter.stop(true);
});

test("a gateway open to other machines is refused while the local host is in use", async () => {
  await using fresh = await homeForTest();
  const launcher = fresh.start({ ZPACK_BIND: "0.0.0.0" });
  await launcher.printed(/ZPACK_LOCAL_HOST_TRUSTED=1/);
  expect(await launcher.exited).toBe(1);
});
