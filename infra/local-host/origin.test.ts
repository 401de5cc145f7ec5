import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#shared/telemetry/log.ts";
import { folderOf, purgeForsaken, writeOrigin } from "./origin.ts";

let base: string;
let sharedRoot: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "origin-")));
  sharedRoot = join(base, "shared");
  mkdirSync(sharedRoot);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A home and its folder, with one container in it. */
async function homeWithFolder(name: string): Promise<{ home: string; folder: string }> {
  const home = join(base, "homes", name);
  const folder = join(sharedRoot, folderOf(home));
  mkdirSync(home, { recursive: true });
  mkdirSync(join(folder, "containers", "5001"), { recursive: true });
  await writeOrigin(folder, home);
  return { home, folder };
}
const purge = () => purgeForsaken(sharedRoot, silentLogger);

test("the folder of a home that is gone is removed, that of a home that is there stays", async () => {
  const [gone, there] = [await homeWithFolder("gone"), await homeWithFolder("there")];
  rmSync(gone.home, { recursive: true });
  expect(await purge()).toEqual([folderOf(gone.home)]);
  expect(readdirSync(sharedRoot)).toEqual([folderOf(there.home)]);
  expect(existsSync(join(there.folder, "containers/5001"))).toBe(true);
  expect(await purge()).toEqual([]);
});

test("what does not prove to be ours stays", async () => {
  const { home, folder } = await homeWithFolder("gone");
  rmSync(home, { recursive: true });
  for (const spoil of ["", "relative\n", `${base}/another\n`]) {
    writeFileSync(join(folder, "origin"), spoil);
    expect(await purge()).toEqual([]);
  }
  rmSync(join(folder, "origin"));
  mkdirSync(join(sharedRoot, "of-somebody-else"));
  expect(await purge()).toEqual([]);
  expect(readdirSync(sharedRoot)).toHaveLength(2);
});

test("a home that may be on a disk which is not mounted keeps its containers", async () => {
  const { home, folder } = await homeWithFolder("away");
  rmSync(home, { recursive: true });
  for (const origin of [`${home}\n0\n`, `${home}\n`]) {
    writeFileSync(join(folder, "origin"), origin);
    expect(await purge()).toEqual([]);
  }
  rmSync(join(folder, "containers/5001"), { recursive: true });
  expect(await purge()).toEqual([folderOf(home)]);
});

test("a folder in which something runs stays until it has ended", async () => {
  const { home, folder } = await homeWithFolder("gone");
  rmSync(home, { recursive: true });
  const agent = Bun.spawn([
    process.execPath,
    "-e",
    "setInterval(() => {}, 1000)",
    join(folder, "containers/5001"),
  ]);
  expect(await purge()).toEqual([]);
  agent.kill("SIGKILL");
  await agent.exited;
  expect(await purge()).toEqual([folderOf(home)]);
});

test("a purge that was cut short is finished", async () => {
  mkdirSync(join(sharedRoot, `${folderOf("/srv/home")}.removing`, "containers/5001"), { recursive: true });
  await purge();
  expect(readdirSync(sharedRoot)).toEqual([]);
});
