import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type ManualClock, manualClock } from "#shared/testing/clock.ts";
import { ConsoleHub } from "../console/hub.ts";
import { until } from "../testing/until.ts";
import { Game, type GameTiming } from "./game.ts";
import type { Program, ServerList } from "./program.ts";

const answer: ServerList = { online: 2, max: 9, players: [{ name: "a", id: "b" }], latencyMs: 1 };
const timing: GameTiming = {
  crashBackoffMs: [30_000, 60_000, 120_000],
  crashResetMs: 30_000,
  stopMs: 10_000,
  pingMs: 1000,
  probeMs: 100,
  startMs: 120_000,
};
/** Reads commands as a game does; `exit N` is a crash, and `deaf` makes it ignore everything after. */
const script = `while read -r line; do case $line in
  save-all) echo 'Saved the game';; stop) echo Stopping; exit 0;; exit*) $line;; deaf) sleep 60;;
  esac; done`;

function gameForTest(more: { ping?: Program["ping"]; program?: () => Promise<Program> } = {}) {
  const clock: ManualClock = manualClock();
  const console = new ConsoleHub();
  const seen = { endedInOrder: 0 };
  const program: Program = {
    command: ["/bin/sh", "-c", script],
    cwd: tmpdir(),
    env: {},
    ping: more.ping ?? (() => Promise.resolve(answer)),
    save: { line: "save-all", done: /^Saved the game/ },
    stopLine: "stop",
    endedInOrder: (exit, tail) => exit.code === 0 && tail.includes("Stopping"),
  };
  const game = new Game({
    program: more.program ?? (() => Promise.resolve(program)),
    console,
    clock,
    log: silentLogger,
    timing,
    maxPlayers: () => 20,
    onEndedInOrder: () => void seen.endedInOrder++,
  });
  const state = (wanted: string) => until(`state ${wanted}`, () => game.state() === wanted);
  const crashWith = async (line: string, next: string) => {
    game.input(`${line}\n`);
    await state(next);
  };
  return { game, clock, console, seen, state, crashWith, [Symbol.asyncDispose]: () => game.stop() };
}

test("a game is running once it answers as a game, and ready then", async () => {
  let answers = false;
  await using t = gameForTest({ ping: () => Promise.resolve(answers ? answer : undefined) });
  expect(await t.game.ready()).toEqual({ ready: false, reason: "idle" });
  const started = t.game.start();
  await until("a probe", () => t.clock.sleepers() === 1);
  expect(t.game.state()).toBe("starting");
  expect(await t.game.ready()).toEqual({ ready: false, reason: "starting" });
  answers = true;
  await t.clock.advance(timing.probeMs);
  await started;
  expect(t.game.state()).toBe("running");
  expect(await t.game.ready()).toMatchObject({ ready: true, reason: "ok", players: { online: 2, max: 9 } });
  answers = false;
  expect(await t.game.ready()).toEqual({ ready: false, reason: "no_answer" });
});

test("a start that takes too long ends as an operation, and the game may still come up", async () => {
  let answers = false;
  await using t = gameForTest({ ping: () => Promise.resolve(answers ? answer : undefined) });
  const started = t.game.start();
  await until("a probe", () => t.clock.sleepers() === 1);
  await t.clock.advance(timing.startMs + 1);
  await started;
  expect(t.game.state()).toBe("starting");
  answers = true;
  expect(await t.game.ready()).toMatchObject({ ready: true });
  expect(t.game.state()).toBe("running");
});

test("an ordered stop saves, waits for that, stops, and is no crash", async () => {
  await using t = gameForTest();
  await t.game.start();
  await Promise.all([t.game.stop(), t.game.stop()]);
  expect(t.game.state()).toBe("idle");
  expect(t.game.crash()).toBeNull();
  const lines = t.console.tail().split("\n");
  const [saved, stopping] = [lines.indexOf("Saved the game"), lines.indexOf("Stopping")];
  expect(saved).toBeGreaterThanOrEqual(0);
  expect(stopping).toBeGreaterThan(saved);
});

test("a game that does not stop in time is killed, and that is no crash either", async () => {
  await using t = gameForTest();
  await t.game.start();
  t.game.input("deaf\n");
  const stopped = t.game.stop();
  await until("the bound", () => t.clock.sleepers() >= 1);
  await t.clock.advance(timing.stopMs);
  await stopped;
  expect(t.game.state()).toBe("idle");
  expect(t.game.crash()).toBeNull();
});

test("a crash is described, and the game started again after 30, 60 and 120 s, then no more", async () => {
  await using t = gameForTest();
  await t.game.start();
  for (const [i, wait] of timing.crashBackoffMs.entries()) {
    await t.crashWith("exit 7", "crashed");
    const crash = t.game.crash();
    expect(crash).toMatchObject({
      count: i + 1,
      exit_code: 7,
      signal: null,
      class: "nonzero_exit",
      uptime: 0,
    });
    expect(Date.parse(crash?.next_start_at ?? "")).toBe(t.clock.now() + wait);
    expect(crash?.log_tail).toContain("exit 7");
    expect(await t.game.ready()).toEqual({ ready: false, reason: "crashed" });
    await t.clock.advance(wait - 1);
    expect(t.game.state()).toBe("crashed");
    await t.clock.advance(1);
    await t.state("running");
  }
  await t.crashWith("exit 7", "error");
  expect(t.game.crash()).toMatchObject({ count: 4, next_start_at: null });
  await t.game.start();
  expect(t.game.state()).toBe("running");
  expect(t.game.crash()).toBeNull();
});

test("being up for 30 s ends a row of crashes", async () => {
  await using t = gameForTest();
  await t.game.start();
  await t.crashWith("exit 1", "crashed");
  await t.clock.advance(30_000);
  await t.state("running");
  await t.clock.advance(29_999);
  expect(t.game.crash()?.count).toBe(1);
  await t.clock.advance(1);
  expect(t.game.crash()?.count).toBe(0);
  await t.crashWith("exit 1", "crashed");
  expect(t.game.crash()).toMatchObject({ count: 1, uptime: 30 });
});

test("a stop calls off the restart that waits", async () => {
  await using t = gameForTest();
  await t.game.start();
  await t.crashWith("exit 1", "crashed");
  await t.game.stop();
  await t.clock.advance(120_000);
  expect(t.game.state()).toBe("idle");
});

test("a start while a restart waits starts once, at once", async () => {
  await using t = gameForTest();
  await t.game.start();
  await t.crashWith("exit 1", "crashed");
  await t.game.start();
  const since = t.game.startedAt();
  await t.clock.advance(120_000);
  expect(t.game.startedAt()).toBe(since);
});

test("an end that nobody asked for is a crash even with code 0; typing stop is asking", async () => {
  await using t = gameForTest();
  await t.game.start();
  await t.crashWith("exit 0", "crashed");
  expect(t.game.crash()).toMatchObject({ exit_code: 0, class: "unexpected_exit" });
  await t.game.start();
  await t.crashWith("stop", "idle");
  expect(t.seen.endedInOrder).toBe(1);
  expect(t.game.crash()).toBeNull();
});

test("a stop during a start wins", async () => {
  await using t = gameForTest({ ping: () => Promise.resolve(undefined) });
  const started = t.game.start();
  await until("a probe", () => t.clock.sleepers() === 1);
  await t.game.stop();
  await started;
  expect(t.game.state()).toBe("idle");
});

test("a game that cannot be started at all is an error", async () => {
  await using t = gameForTest({ program: () => Promise.reject(new Error("no such file")) });
  await t.game.start();
  expect(t.game.state()).toBe("error");
  expect(t.game.crash()).toBeNull();
});

test("many callers ask the game once, and a stopped game admits what its settings say", async () => {
  let asked = 0;
  const pending = Promise.withResolvers<ServerList>();
  await using t = gameForTest({
    ping: () => {
      asked++;
      return pending.promise;
    },
  });
  expect(await t.game.players()).toEqual({ online: 0, max: 20, players: [] });
  const started = t.game.start();
  await until("the first question", () => asked === 1);
  const all = Promise.all([t.game.ready(), t.game.players(), t.game.ready()]);
  pending.resolve(answer);
  expect((await all)[1]).toEqual({ online: 2, max: 9, players: answer.players });
  await started;
  expect(asked).toBe(1);
});
