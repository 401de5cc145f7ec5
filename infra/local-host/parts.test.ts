import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentBinary, removeOldBinaries } from "./agent-binary.ts";
import { readConfig } from "./config.ts";
import { removeTemporaries, writeAtomic } from "./files.ts";
import { chooseFreePorts, isFree } from "./ports.ts";
import { serialByKey } from "./serial.ts";
import { claimStorage, makeStorage, removeStorage, removeTemporaryFiles } from "./storage.ts";
import { isRoot, refusal } from "./testing/harness.ts";

const base = mkdtempSync(join(tmpdir(), "local-host-parts-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(base, "dir-"));
});

describe("readConfig", () => {
  const least = { LOCAL_HOST_TOKEN: "a-token-of-the-host", LOCAL_HOST_HOME: "/somewhere" };

  test("needs a token and a home, and has a default for the rest", () => {
    expect(readConfig(least)).toMatchObject({ port: 0, restartMs: [1000, 5000, 30_000] });
    expect(() => readConfig({})).toThrow(/LOCAL_HOST_TOKEN(.|\n)*LOCAL_HOST_HOME/);
  });

  test("two homes give two bases for the users of agents, each always the same; a setting overrules them", () => {
    const baseOf = (home: string) => readConfig({ ...least, LOCAL_HOST_HOME: home }).uidBase;
    expect(baseOf("/a")).toBe(baseOf("/a"));
    expect(baseOf("/a")).not.toBe(baseOf("/b"));
    expect(baseOf("/a") % 10_000).toBe(0);
    expect(readConfig({ ...least, LOCAL_HOST_UID_BASE: "300000" }).uidBase).toBe(300_000);
  });

  test("names what is wrong without its value", () => {
    const wrong = {
      ...least,
      LOCAL_HOST_TOKEN: "tooshort",
      LOCAL_HOST_PORT_RANGE: "9-1",
      LOCAL_HOST_RESTART_MS: "a",
    };
    expect(() => readConfig(wrong)).toThrow(
      /LOCAL_HOST_TOKEN(.|\n)*LOCAL_HOST_PORT_RANGE(.|\n)*LOCAL_HOST_RESTART_MS/,
    );
    expect(() => readConfig(wrong)).not.toThrow(/tooshort/);
  });
});

describe("writeAtomic", () => {
  test("replaces the file, with the mode that was asked for", async () => {
    const path = join(dir, "a");
    await writeAtomic(path, "one", 0o600);
    await writeAtomic(path, "two", 0o600);
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["two", 0o600]);
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("that fails leaves no temporary file", async () => {
    mkdirSync(join(dir, "a/b"), { recursive: true });
    await refusal(writeAtomic(join(dir, "a"), "text", 0o600));
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("that was killed is cleaned up", async () => {
    writeFileSync(join(dir, "a.123456.tmp"), "half");
    writeFileSync(join(dir, "a"), "whole");
    await removeTemporaries(dir);
    expect(readdirSync(dir)).toEqual(["a"]);
  });
});

test("serialByKey runs one at a time per key, in order, also after a failure, and keys side by side", async () => {
  const serial = serialByKey<string>();
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = serial("a", async () => {
    await gate.promise;
    seen.push("a1");
    throw new Error("a1 failed");
  });
  const second = serial("a", async () => seen.push("a2"));
  await serial("b", async () => seen.push("b"));
  gate.resolve();
  expect(await refusal(first)).toMatchObject({ message: "a1 failed" });
  await second;
  expect(seen).toEqual(["b", "a1", "a2"]);
});

describe("chooseFreePorts", () => {
  test("skips ports that are held or listened on, and says when there is none left", async () => {
    const [first = 0] = await chooseFreePorts(1, { from: 20_000, to: 31_999 }, new Set());
    const range = { from: first, to: first };
    expect(await refusal(chooseFreePorts(1, range, new Set([first])))).toMatchObject({
      code: "host.no_port",
    });
    const stranger = Bun.serve({ hostname: "127.0.0.1", port: first, fetch: () => new Response("x") });
    expect(await isFree(first)).toBe(false);
    expect(await refusal(chooseFreePorts(1, range, new Set()))).toMatchObject({ code: "host.no_port" });
    await stranger.stop(true);
  });
});

describe("a container's directory", () => {
  const uid = isRoot ? 205_001 : undefined;

  test("is removed whatever its modes, and nothing that a link in it points to", async () => {
    writeFileSync(join(dir, "outside"), "kept");
    const at = join(dir, "5001");
    await makeStorage(at, uid);
    mkdirSync(join(at, "closed/deeper"), { recursive: true });
    symlinkSync(dir, join(at, "link"));
    chmodSync(join(at, "closed"), 0o000);
    await removeStorage(at);
    expect(existsSync(at)).toBe(false);
    expect(readFileSync(join(dir, "outside"), "utf8")).toBe("kept");
  });

  test("is made empty, whatever lay there without a record", async () => {
    const at = join(dir, "5001");
    mkdirSync(at);
    writeFileSync(join(at, "world"), "of somebody else");
    await makeStorage(at, uid);
    expect(readdirSync(at)).toEqual([]);
  });

  test("leaves nothing in the folders that all users share, and touches nothing of others there", async () => {
    const own = 1_000_000_000 + Math.floor(Math.random() * 10_000_000);
    for (const name of ["left", "of-others"]) mkdirSync(join(dir, name, "deeper"), { recursive: true });
    if (isRoot) chownSync(join(dir, "left"), own, own);
    await removeTemporaryFiles(own, [dir, join(dir, "missing")]);
    expect(readdirSync(dir)).toEqual(isRoot ? ["of-others"] : ["left", "of-others"]);
    // Somebody of that user lives: it may be his.
    await removeTemporaryFiles(process.getuid?.() ?? -1, [dir]);
    expect(readdirSync(dir)).toContain("of-others");
  });

  test("is given to the container's user when the host ran as another one before", async () => {
    const at = join(dir, "5001");
    mkdirSync(join(at, "inner"), { recursive: true });
    expect(await claimStorage(at, uid)).toBe(true);
    expect(statSync(join(at, "inner")).uid).toBe(uid ?? process.getuid?.() ?? -1);
    expect(await claimStorage(join(dir, "5002"), uid)).toBe(false);
  });
});

describe("agentBinary", () => {
  const never = new AbortController().signal;

  test("is built once for one content, and removed when nobody uses it any more", async () => {
    const entry = join(dir, "agent.ts");
    const agents = join(dir, "agents");
    mkdirSync(agents);
    writeFileSync(entry, "process.stdout.write('built')");
    const binary = agentBinary({ entry, directory: agents, signal: never });
    const [one, two] = await Promise.all([binary(), binary()]);
    expect(one).toBe(two);
    const built = statSync(one).mtimeMs;
    expect(await agentBinary({ entry, directory: agents, signal: never })()).toBe(one);
    expect(statSync(one).mtimeMs).toBe(built);
    expect(await new Response(Bun.spawn([one], { env: {} }).stdout).text()).toBe("built");
    expect(readdirSync(agents)).toHaveLength(1);
    await removeOldBinaries(agents, new Set());
    expect(readdirSync(agents)).toEqual([]);
  });

  test("that cannot be built is agent.build_failed, and the next caller tries again", async () => {
    const entry = join(dir, "agent.ts");
    writeFileSync(entry, "this is no program(");
    const binary = agentBinary({ entry, directory: dir, signal: never });
    expect(await refusal(binary())).toMatchObject({ code: "agent.build_failed", status: 503 });
    writeFileSync(entry, "process.exit(0)");
    expect(existsSync(await binary())).toBe(true);
  });
});
