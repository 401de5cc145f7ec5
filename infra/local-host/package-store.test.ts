import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type PackageStore, startPackageStore } from "./package-store.ts";
import { isRoot, until } from "./testing/harness.ts";

const base = mkdtempSync(join(tmpdir(), "package-store-"));
const source = join(base, "source");
let up = true;
let waiting: PromiseWithResolvers<void> | undefined;

// A registry with one package, so that nothing is fetched from outside.
const registry = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    await waiting?.promise;
    if (!up) return new Response(null, { status: 404 });
    const { pathname, origin } = new URL(request.url);
    if (pathname.endsWith(".tgz")) return new Response(Bun.file(join(base, "tiny.tgz")));
    const dist = { tarball: `${origin}/tiny/-/tiny-1.0.0.tgz` };
    const versions = { "1.0.0": { name: "tiny", version: "1.0.0", dist } };
    return Response.json({ name: "tiny", "dist-tags": { latest: "1.0.0" }, versions });
  },
});

beforeAll(async () => {
  process.env["BUN_CONFIG_REGISTRY"] = registry.url.href;
  mkdirSync(join(base, "package"));
  mkdirSync(source);
  writeFileSync(join(base, "package/package.json"), '{"name":"tiny","version":"1.0.0"}');
  writeFileSync(join(source, "package.json"), '{"private":true,"dependencies":{"tiny":"1.0.0"}}');
  await Bun.spawn(["tar", "-czf", join(base, "tiny.tgz"), "-C", base, "package"]).exited;
  await Bun.spawn([process.execPath, "install", "--lockfile-only"], {
    cwd: source,
    stdio: ["ignore", "ignore", "ignore"],
    env: { ...process.env, BUN_INSTALL_CACHE_DIR: join(base, "cache") },
  }).exited;
});
afterAll(async () => {
  await registry.stop(true);
  rmSync(base, { recursive: true, force: true });
});

let store: string;
const running: PackageStore[] = [];
beforeEach(() => {
  store = mkdtempSync(join(base, "store-"));
  process.env["BUN_INSTALL_CACHE_DIR"] = join(store, "cache");
  up = true;
});
afterEach(async () => {
  waiting?.resolve();
  waiting = undefined;
  for (const each of running.splice(0)) await each.stop();
});

const folder = () => join(store, "tiny@1.0.0");
function start(clock: Clock = systemClock): PackageStore {
  const started = startPackageStore({
    source,
    store,
    isolated: isRoot,
    clock,
    log: silentLogger,
    retryMs: [7, 9],
  });
  running.push(started);
  return started;
}

test("installs the locked package: complete, readable by everybody, and nothing else beside it", async () => {
  const filling = start();
  await filling.ready;
  expect(filling.state()).toBe("ready");
  expect(readdirSync(folder()).toSorted()).toEqual([".complete", "node_modules"]);
  const file = join(folder(), "node_modules/tiny/package.json");
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ version: "1.0.0" });
  expect(statSync(file).mode & 0o444).toBe(0o444);
});

test("says .installing while it installs, so that agents wait", async () => {
  waiting = Promise.withResolvers();
  const filling = start();
  await until(() => existsSync(join(folder(), ".installing")));
  expect(existsSync(join(folder(), ".complete"))).toBe(false);
  expect(filling.state()).toBe("installing");
  waiting.resolve();
  await filling.ready;
  expect(existsSync(join(folder(), ".installing"))).toBe(false);
});

test("finishes what a killed host left half-done", async () => {
  mkdirSync(join(folder(), "node_modules/half"), { recursive: true });
  mkdirSync(join(folder(), ".work.tmp/node_modules"), { recursive: true });
  writeFileSync(join(folder(), ".installing"), "");
  await start().ready;
  expect(readdirSync(folder()).toSorted()).toEqual([".complete", "node_modules"]);
  expect(readdirSync(join(folder(), "node_modules"))).not.toContain("half");
});

test("never touches a complete package again", async () => {
  await start().ready;
  up = false;
  const before = statSync(join(folder(), "node_modules")).mtimeMs;
  await start().ready;
  expect(statSync(join(folder(), "node_modules")).mtimeMs).toBe(before);
});

test("without the registry it fails visibly, keeps no agent waiting, and tries again with growing waits", async () => {
  up = false;
  const waits: number[] = [];
  const clock: Clock = {
    now: () => 0,
    sleep: async (ms) => {
      waits.push(ms);
      expect(filling.state()).toBe("failed");
      expect(existsSync(join(folder(), ".installing"))).toBe(false);
      up = waits.length === 3;
    },
  };
  const filling = start(clock);
  await filling.ready;
  expect(waits).toEqual([7, 9, 9]);
  expect(filling.state()).toBe("ready");
});

test("stop ends an installation under way and leaves no marker and no rest", async () => {
  waiting = Promise.withResolvers();
  const filling = start();
  await until(() => existsSync(join(folder(), ".work.tmp/bun.lock")));
  await filling.stop();
  expect(readdirSync(folder())).toEqual([]);
});
