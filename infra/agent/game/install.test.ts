import { expect, test } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "#shared/process/clock.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { ConsoleHub } from "../console/hub.ts";
import { freePort, temporaryRoot } from "../testing/agent.ts";
import { rejectionOf } from "../testing/rejection.ts";
import { until } from "../testing/until.ts";
import { type InstallOptions, installPackage } from "./install.ts";

const wanted = "some-package@1.0.0";

function optionsFor(root: string, more: Partial<InstallOptions> = {}) {
  const steps: string[] = [];
  const options: InstallOptions = {
    package: wanted,
    runtime: join(root, "runtime"),
    scratch: join(root, ".agent"),
    store: join(root, "store"),
    console: new ConsoleHub(),
    clock: systemClock,
    signal: new AbortController().signal,
    step: (sentence) => void steps.push(sentence),
    ...more,
  };
  return {
    options,
    steps,
    stored: join(root, "store", wanted),
    modules: join(root, "runtime", "node_modules"),
  };
}

test("links a package that the store has, also over a broken link", async () => {
  using place = temporaryRoot();
  const { options, steps, stored, modules } = optionsFor(place.root);
  await mkdir(join(stored, "node_modules"), { recursive: true });
  await writeFile(join(stored, ".complete"), "");
  await installPackage(options);
  await installPackage(options);
  expect(readlinkSync(modules)).toBe(join(stored, "node_modules"));
  expect(steps).toEqual([`Linking ${wanted}`, `Linking ${wanted}`]);
});

test("waits for a store that is being filled", async () => {
  using place = temporaryRoot();
  const clock = manualClock();
  const { options, steps, stored, modules } = optionsFor(place.root, { clock });
  await mkdir(join(stored, "node_modules"), { recursive: true });
  await writeFile(join(stored, ".installing"), "");
  const installed = installPackage(options);
  await until("the wait", () => clock.sleepers() === 1);
  await writeFile(join(stored, ".complete"), "");
  await clock.advance(200);
  await installed;
  expect(steps).toEqual([`Waiting for ${wanted}`, `Linking ${wanted}`]);
  expect(existsSync(modules)).toBe(true);
});

test("fetches by itself when the store does not get there, and says so when that fails too", async () => {
  using place = temporaryRoot();
  const registry = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("no such package", { status: 404 }),
  });
  const environment = { NPM_CONFIG_REGISTRY: `http://127.0.0.1:${registry.port}/` };
  const more = { environment, storeWaitMs: 0 };
  const { options, steps, stored, modules } = optionsFor(place.root, more);
  await mkdir(stored, { recursive: true });
  await writeFile(join(stored, ".installing"), "");
  const failure = installPackage(options);
  expect(String(await rejectionOf(failure))).toContain("could not be fetched from the package registry");
  await registry.stop(true);
  expect(steps.at(-1)).toBe(`Fetching ${wanted}`);
  expect(options.console.tail()).toContain("404");
  expect(existsSync(modules)).toBe(false);
  expect(await readdir(options.runtime)).toEqual([]);
});

test("gives up at once when the agent stops", async () => {
  using place = temporaryRoot();
  const stop = new AbortController();
  const { options } = optionsFor(place.root, { signal: stop.signal, clock: manualClock() });
  const installing = join(place.root, "store", wanted, ".installing");
  await mkdir(join(place.root, "store", wanted), { recursive: true });
  await writeFile(installing, "");
  const failure = installPackage(options);
  stop.abort();
  expect(await rejectionOf(failure)).toBeInstanceOf(Error);
  await rm(installing);
  expect(await freePort()).toBeGreaterThan(0);
});
